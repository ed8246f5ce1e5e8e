"""Checks of the machine."""

import resource
import shutil
from collections import namedtuple
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from infra.doctor.examination import refuse_if_blocked
from infra.doctor.finding import Finding
from infra.doctor.machine import (
    check_clock,
    check_disk,
    check_memory,
    check_open_files,
    check_spark_java,
    check_trino_java,
)
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

Memory = namedtuple("Memory", "available")
Disk = namedtuple("Disk", "total used free")


def memory(monkeypatch: pytest.MonkeyPatch, available_mb: int) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(available_mb * 1024 * 1024))


def disk(monkeypatch: pytest.MonkeyPatch, free_mb: int) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Disk(0, 0, free_mb * 1024 * 1024))


def test_no_java_is_missing_with_its_fix(tmp_path: Path) -> None:
    finding = check_spark_java(Settings(java_home=tmp_path))
    assert (finding.subject, finding.verdict) == ("java", "missing")
    assert finding.fix


def test_java_is_found() -> None:
    assert check_spark_java(Settings()).verdict == "ok"
    assert check_trino_java().verdict == "ok"


@pytest.mark.parametrize(
    ("available_mb", "verdict"), [(100, "missing"), (4000, "warning"), (9000, "ok")]
)
def test_memory_is_held_against_the_mode(
    monkeypatch: pytest.MonkeyPatch, available_mb: int, verdict: str
) -> None:
    memory(monkeypatch, available_mb)
    finding = check_memory("full")
    assert finding.verdict == verdict
    assert ("--light" in finding.fix) == (verdict != "ok")


@pytest.mark.parametrize(("free_mb", "verdict"), [(10, "missing"), (2000, "warning"), (9000, "ok")])
def test_disk_is_held_against_the_mode(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free_mb: int, verdict: str
) -> None:
    disk(monkeypatch, free_mb)
    finding = check_disk("disk", tmp_path / "not" / "there", "full", "HEADWATER_HOME")
    assert finding.verdict == verdict
    assert f"at {tmp_path}" in finding.found
    assert ("HEADWATER_HOME" in finding.fix) == (verdict != "ok")


def test_few_open_files_are_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 8192))
    assert check_open_files() == Finding("open files", "warning", "256 at once", "ulimit -n 8192")


def test_clock_before_our_own_files_is_wrong() -> None:
    assert check_clock(datetime(1970, 1, 1, tzinfo=UTC)).verdict == "missing"
    assert check_clock(datetime.now(UTC)).verdict == "ok"


def test_start_is_refused_by_the_first_thing_that_is_missing() -> None:
    ok = Finding("a", "ok", "")
    refuse_if_blocked([ok, Finding("b", "warning", "little", "more")])
    with pytest.raises(HeadwaterError, match=r"^java: none: install it; .* names 1 more$"):
        refuse_if_blocked(
            [
                ok,
                Finding("java", "missing", "none", "install it"),
                Finding("disk", "missing", "full", "free some"),
            ]
        )
