"""Conservation run again and again: which hours are checked anew, and what people are told."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import CommitProperties

from edge.outbox import OutboxError
from edge.registry_files import RegistryFiles
from spark_jobs import packing, table_files
from spark_jobs.jobs import conservation, retention
from spark_jobs.jobs.conservation_alerts import Sink
from spark_jobs.jobs.job_runs import Result
from spark_jobs.lake import Lake
from spark_jobs.transforms.conservation_alerts import MOST, RECENT, news
from telemetry.alerts import Alert
from telemetry.products import Product
from telemetry.settings import Settings
from telemetry.tables import MESSAGES, READINGS, Table
from tests.spark_jobs.test_conservation import (
    HOUR,
    NOW,
    THIS_HOUR,
    THREE_AGO,
    TWO_AGO,
    idle,
    message,
    put,
    records,
    settings,
)

__all__ = ["settings"]
LANDED = (MESSAGES, READINGS)
FOUR_AGO = THREE_AGO - HOUR


class Told(list[Alert]):
    """A sink that keeps what it was told last."""

    def tell(self, alerts: Sequence[Alert]) -> None:
        self[:] = alerts


class Away:
    def tell(self, alerts: Sequence[Alert]) -> None:
        raise OutboxError("away")


def checked(
    settings: Settings, sink: Sink | None = None, now: datetime = NOW, days: date | None = None
) -> Result:
    arguments = argparse.Namespace(first=days, last=days, rows=100, exit_zero=True)
    return conservation.check(arguments, settings, Lake(settings.lake_root), now, sink)


def land(settings: Settings, hour: datetime, *offsets: int) -> None:
    records(settings, hour, offsets)
    put(settings, READINGS, [message(offset, hour) for offset in offsets])


@pytest.fixture
def three(settings: Settings) -> Settings:
    """Return a home with three hours that were checked."""
    for number, hour in enumerate((FOUR_AGO, THREE_AGO, TWO_AGO)):
        land(settings, hour, 10 * number)
        land(settings, hour, 10 * number + 1)
    idle(settings, NOW)
    assert checked(settings)["hours"] == 3
    return settings


def pack(settings: Settings) -> None:
    lake = Lake(settings.lake_root)
    for table in LANDED:
        assert packing.pack(lake, table, lake.files(table))


def forget(settings: Settings, table: Table) -> None:
    """Shorten the log: what is needed to read the newest version is in a checkpoint."""
    lake = Lake(settings.lake_root)
    handle = lake.table(table)
    handle.create_checkpoint()
    for version in range(handle.version()):
        log = Path(lake.uri(table)) / "_delta_log"
        (log / f"{version:020d}.json").unlink(missing_ok=True)


def test_an_hour_is_checked_once_and_again_when_it_changes(three: Settings) -> None:
    assert checked(three)["hours"] == 0
    land(three, THREE_AGO, 12)
    assert checked(three)["hours"] == 1
    assert checked(three)["hours"] == 0


def test_packed_files_make_no_hour_due_but_those_of_new_rows(three: Settings) -> None:
    pack(three)
    assert checked(three)["hours"] == 0

    land(three, THREE_AGO, 12)
    pack(three)

    assert checked(three)["hours"] == 1
    pack_again = checked(three)
    assert pack_again["hours"] == 0


def test_packed_files_make_nothing_due_where_the_log_is_shortened(three: Settings) -> None:
    pack(three)
    for table in LANDED:
        forget(three, table)
    assert checked(three)["hours"] == 0

    for offset in (12, 13):
        land(three, THREE_AGO, offset)
    for table in LANDED:
        forget(three, table)

    assert checked(three)["hours"] == 3, "all that the date's files may hold"


def test_rows_that_came_by_a_clock_that_was_set_back_are_checked(three: Settings) -> None:
    lake = Lake(three.lake_root)
    row = lake.scan(READINGS).head(1).with_columns(offset=pl.lit(99, pl.Int64)).collect()
    written = lake.row_files(READINGS).write([row])
    old = [replace(one, modification_time=one.modification_time - 86_400_000) for one in written]
    table_files.commit(lake.table(READINGS), READINGS, [*old], CommitProperties())

    told = checked(three)

    assert (told["hours"], told["success"]) == (1, False)


def test_file_that_is_gone_is_missed(three: Settings) -> None:
    Lake(three.lake_root).delete(READINGS, "offset = 10")

    told = checked(three)

    assert not told["success"]
    assert "10 in no table" in str(told["wrong"])


def test_rows_of_a_class_that_no_product_has_any_more_are_not_missed_once_they_expired(
    settings: Settings,
) -> None:
    records(settings, TWO_AGO, [1])
    put(settings, READINGS, [message(1, TWO_AGO, retention_class="2 d")])
    idle(settings, NOW)
    assert checked(settings)["hours"] == 1
    later = NOW + timedelta(days=3)
    given = argparse.Namespace(today=later.date(), dry_run=False)
    dropped = retention.run(given, settings, Lake(settings.lake_root))["tables"]
    assert isinstance(dropped, dict)
    assert set(dropped) == {READINGS.name}
    idle(settings, later)

    told = checked(settings, now=later)

    assert (told["success"], told["wrong"]) == (True, [])


def test_what_did_not_hold_stays_wrong_once_retention_may_have_been_there(three: Settings) -> None:
    Lake(three.lake_root).delete(READINGS, "offset = 10")
    RegistryFiles(three.registry_dir).put_product(
        Product("short", retention_class="8 d", max_age=timedelta(days=7))
    )
    wrong = checked(three)["wrong"]
    later = NOW + timedelta(days=2)
    land(three, later - 30 * HOUR, 50)
    idle(three, later)

    told, asked_late = checked(three, now=later), checked(three, now=NOW + 2 * RECENT)

    assert isinstance(wrong, list)
    assert told["wrong"] == [f"{text} (retention may have been there since)" for text in wrong]
    assert (told["success"], told["hours"], told["hours_never_held"]) == (False, 0, 1)
    assert asked_late["wrong"] == []


def test_an_hour_that_bronze_has_lost_whole_is_missed(three: Settings) -> None:
    Lake(three.lake_root).delete(MESSAGES, "offset in (10, 11)")

    told = checked(three)
    asked = checked(three, days=THREE_AGO.date())

    wrong = "telemetry/0 of 2026-11-21 12:00, nothing in bronze: +2 messages, 10-11 not in bronze"
    assert (told["success"], told["wrong"]) == (False, [wrong])
    assert asked["wrong"] == [wrong]


def test_what_silver_has_ahead_of_a_bronze_that_was_pinned_before_waits(three: Settings) -> None:
    put(three, READINGS, [message(70, FOUR_AGO - HOUR, partition=1)])
    (three.progress_dir / "landing.json").write_text('{"idle": false, "at": 0}')

    told = checked(three)

    assert (told["hours"], told["hours_left"], told["wrong"]) == (0, 1, [])


def test_an_hour_that_does_not_hold_fails_every_run_until_it_does(three: Settings) -> None:
    row = Lake(three.lake_root).scan(READINGS).filter(offset=10).collect()
    Lake(three.lake_root).delete(READINGS, "offset = 10")
    assert [checked(three)["success"] for _ in range(3)] == [False] * 3

    Lake(three.lake_root).append(READINGS, row, None)

    assert [checked(three)["success"] for _ in range(2)] == [True] * 2
    assert checked(three)["hours"] == 0


def test_hours_in_which_nothing_came_are_looked_at_once(settings: Settings) -> None:
    times = [TWO_AGO - 9 * HOUR, TWO_AGO]
    for table in LANDED:
        put(settings, table, [message(n, at, items=1) for n, at in enumerate(times)])
    idle(settings, NOW)
    assert checked(settings)["hours"] == 10
    assert checked(settings)["hours"] == 0

    land(settings, TWO_AGO - 5 * HOUR, 7)

    assert checked(settings)["hours"] == 1
    assert checked(settings)["hours"] == 0


def test_hour_that_changed_and_was_not_passed_waits(three: Settings) -> None:
    land(three, TWO_AGO, 22)
    idle(three, TWO_AGO)
    (three.progress_dir / "landing.json").write_text('{"idle": false, "at": 0}')
    assert (checked(three)["hours"], checked(three)["hours_left"]) == (0, 1)

    idle(three, NOW)

    assert checked(three)["hours"] == 1


def test_an_hour_that_does_not_hold_is_an_alert_until_it_does(settings: Settings) -> None:
    told = Told()
    records(settings, TWO_AGO, range(2))
    put(settings, READINGS, [message(0, TWO_AGO)])
    idle(settings, NOW)
    for _ in range(2):
        assert checked(settings, told)["alerts"] == 1
        (alert,) = told
        assert (alert.state, alert.severity, alert.rule) == ("firing", "critical", "conservation")
        assert "telemetry/0 of 2026-11-21 13:00, offsets 0-1: -1 messages, 1 in no" in alert.text

    put(settings, READINGS, [message(1, TWO_AGO)])
    assert checked(settings, Away())["alerts"] == "not told: away"
    checked(settings, told)

    assert [(one.metric, one.state) for one in told] == [("telemetry/0 2026-11-21T13", "resolved")]
    assert (told[0].metric, told[0].event_time) == (alert.metric, alert.event_time)
    assert told[0].id != alert.id
    assert Alert.from_json(told[0].to_json()) == told[0]
    assert "holds again" in told[0].text
    assert checked(settings, told)["alerts"] == 0


def test_alert_that_is_not_taken_fails_nothing_else(settings: Settings) -> None:
    records(settings, TWO_AGO, range(2))
    idle(settings, NOW)
    assert checked(settings, Away())["alerts"] == "not told: away"


def test_alert_of_an_hour_that_never_holds_again_is_over_after_two_weeks(
    settings: Settings,
) -> None:
    told = Told()
    records(settings, TWO_AGO, range(2))
    idle(settings, NOW)
    checked(settings, told)

    later = NOW + RECENT + timedelta(days=1)
    assert checked(settings, told, later)["alerts"] == 1

    (alert,) = told
    assert alert.state == "resolved"
    assert "did not come to hold within 14 days" in alert.text
    assert checked(settings, told, later)["alerts"] == 0


def test_of_many_that_are_over_each_is_told() -> None:
    before = {(f"telemetry/{number}", THIS_HOUR) for number in range(MOST + 20)}
    told = set()
    while before:
        found = news(before, {})
        told |= {*found.over}
        before = {*found.told(before)}
    assert len(told) == MOST + 20
