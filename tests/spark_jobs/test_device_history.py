"""The history of devices: first versions from 1900, later ones a minute after their commit."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from spark_jobs.transforms.device_history import (
    changed,
    grown,
    history_of,
    history_rows,
)
from spark_jobs.transforms.fleet import versions_table
from telemetry.devices import FIRST_VALID_FROM, SETTLES_AFTER, Device

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
DEVICE = Device("meter.d1", zone="a", lat=48.0, lng=11.0)


def test_first_version_is_valid_from_1900() -> None:
    assert changed({}, [DEVICE], NOW) == [replace(DEVICE, valid_from=FIRST_VALID_FROM)]


def test_change_is_valid_a_minute_after_its_commit() -> None:
    history = grown({}, changed({}, [DEVICE], NOW))
    moved = replace(DEVICE, zone="b")
    assert changed(history, [DEVICE], NOW) == []
    assert changed(history, [moved], NOW) == [replace(moved, valid_from=NOW + SETTLES_AFTER)]


def test_change_that_the_registry_dates_back_holds_from_then_on() -> None:
    first = replace(DEVICE, valid_from=NOW - timedelta(days=9))
    moved = replace(DEVICE, zone="b", valid_from=NOW - timedelta(days=1))
    history = {("default", "meter.d1"): [first]}

    assert changed(history, [moved], NOW) == [moved]
    too_early = replace(moved, valid_from=NOW - timedelta(days=10))
    assert changed(history, [too_early], NOW)[0].valid_from == NOW + SETTLES_AFTER


def test_change_that_is_taken_back_before_it_holds_leaves_no_overlap() -> None:
    history = grown({}, changed({}, [DEVICE], NOW))
    history = grown(history, changed(history, [replace(DEVICE, zone="b")], NOW))
    history = grown(history, changed(history, [DEVICE], NOW))
    versions = history["default", "meter.d1"]
    assert [version.zone for version in versions] == ["a", "a"]
    later = NOW + timedelta(seconds=1)
    history = grown(history, changed(history, [replace(DEVICE, zone="c")], later))
    starts = [version.valid_from for version in history["default", "meter.d1"]]
    assert starts == [FIRST_VALID_FROM, NOW + SETTLES_AFTER, later + SETTLES_AFTER]


def test_rows_say_until_when_and_are_read_back() -> None:
    history = grown({}, changed({}, [DEVICE, Device("plain")], NOW))
    history = grown(history, changed(history, [replace(DEVICE, zone="b")], NOW))
    versions = versions_table(each for versions in history.values() for each in versions)
    rows = history_rows(versions).to_pylist()
    assert [(row["zone"], row["valid_to"]) for row in rows if row["device"] == "d1"] == [
        ("a", NOW + SETTLES_AFTER),
        ("b", None),
    ]
    assert history_of(rows) == history
