"""Which Java is taken, and what is said of one that is too old."""

from pathlib import Path

import pytest

from infra.java import java_for_spark, java_for_trino
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings


def java(home: Path, version: str) -> Path:
    """Install a program that tells a version as Java does."""
    executable = home / "bin" / "java"
    executable.parent.mkdir(parents=True)
    executable.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    executable.chmod(0o755)
    return home


@pytest.fixture(autouse=True)
def _no_java(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)


def test_setting_wins_over_java_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JAVA_HOME", str(java(tmp_path / "old", "11.0.2")))
    found = java_for_spark(Settings(java_home=java(tmp_path / "new", "21.0.1")))
    assert (found.version, found.named_by) == (21, "HEADWATER_JAVA_HOME")


def test_old_java_is_named_with_its_place_and_a_fix(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = java(tmp_path, "11.0.2")
    monkeypatch.setenv("JAVA_HOME", str(home))
    with pytest.raises(HeadwaterError) as refused:
        java_for_spark(Settings())
    said = str(refused.value)
    assert f"Java 11 found at {home}/bin/java (from JAVA_HOME)" in said
    assert "need 17 or newer" in said
    assert "HEADWATER_JAVA_HOME=" in said or "install" in said


def test_java_8_tells_its_version_otherwise(tmp_path: Path) -> None:
    with pytest.raises(HeadwaterError, match="Java 8 found"):
        java_for_spark(Settings(java_home=java(tmp_path, "1.8.0_292")))


def test_old_java_on_the_path_is_not_passed_over(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", f"{java(tmp_path, '11.0.2')}/bin:/usr/bin:/bin")
    with pytest.raises(HeadwaterError, match="Java 11 found"):
        java_for_spark(Settings())


def test_what_is_no_java_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(HeadwaterError, match="does not run as Java"):
        java_for_spark(Settings(java_home=tmp_path))


def test_trino_has_a_java_of_its_own() -> None:
    assert (java_for_trino().version or 0) >= 24
