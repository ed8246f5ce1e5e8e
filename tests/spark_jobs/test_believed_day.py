"""Retention does not follow a clock that has jumped ahead, until it lasts or somebody says so."""

import json
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from spark_jobs.jobs import retention
from spark_jobs.jobs.believed_day import believed_day
from spark_jobs.jobs.held_since import held_since
from spark_jobs.lake import Lake
from spark_jobs.refusal import RefusalError
from telemetry.settings import Settings
from telemetry.tables import JOB_RUNS, MESSAGES, READINGS
from tests.spark_jobs.empty_lakes import create_all
from tests.spark_jobs.gold_fleet import NOON, fleet
from tests.spark_jobs.silver_rows import silver
from tests.spark_jobs.test_batch_jobs import run

DAY = timedelta(days=1)


def today() -> date:
    """Return the day by the clock, which the job goes by as well."""
    return datetime.now(UTC).date()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(home=tmp_path)
    create_all(Lake(made.lake_root))
    return made


def lake_of(settings: Settings) -> Lake:
    return Lake(settings.lake_root)


def job_ran(
    lake: Lake,
    days: Iterable[date],
    job: str = "compact",
    error: str | None = None,
    **arguments: str,
) -> None:
    schema = lake.scan(JOB_RUNS).collect_schema()
    rows = [
        {
            "run_id": f"{job} {day}",
            "job": job,
            "started_at": datetime(day.year, day.month, day.day, 4, tzinfo=UTC),
            "success": error is None,
            "error": error,
            "arguments": json.dumps(arguments),
            "started_date": day,
        }
        for day in days
    ]
    whole = [{name: row.get(name) for name in schema} for row in rows]
    lake.append(JOB_RUNS, pl.DataFrame(whole, schema=schema), None)


def received(lake: Lake, days: Iterable[date]) -> None:
    schema = lake.scan(MESSAGES).collect_schema()
    said = {"topic": "telemetry", "partition": 0, "offset": 0, "items": 1, "tenant": "default"}
    rows = [
        {name: (said | {"received_date": day, "headers": []}).get(name) for name in schema}
        for day in days
    ]
    lake.append(MESSAGES, pl.DataFrame(rows, schema=schema), None)


def expired(lake: Lake) -> int:
    """Land readings that are over by today, but were not over a month ago; count them."""
    return land(lake, today() - 95 * DAY)


def land(lake: Lake, day: date) -> int:
    shift = datetime.combine(day, NOON.timetz()) - NOON
    rows = fleet(3).with_columns(pl.col("event_time") + shift, retention_class=pl.lit("default"))
    lake.append(READINGS, silver(rows, READINGS), None)
    return len(rows)


def readings(settings: Settings) -> int:
    return len(lake_of(settings).scan(READINGS).collect())


def days_before(today: date, first: int, last: int) -> list[date]:
    return [today - n * DAY for n in range(last, first + 1)]


def test_clock_that_jumped_drops_nothing_before_somebody_says_so(settings: Settings) -> None:
    lake = lake_of(settings)
    count = expired(lake)
    received(lake, days_before(today(), 60, 40))

    with pytest.raises(RefusalError, match=f"CLOCK_AHEAD.*--today {today()}"):
        run(retention, settings)
    assert readings(settings) == count

    run(retention, settings, "--today", f"{today()}", "--dry-run")
    with pytest.raises(RefusalError):
        run(retention, settings)
    run(retention, settings, "--today", f"{today()}")
    assert readings(settings) == 0
    expired(lake_of(settings))
    run(retention, settings)
    assert readings(settings) == 0, "the gap was answered"


def test_clock_that_went_on_day_by_day_is_followed(settings: Settings) -> None:
    lake = lake_of(settings)
    expired(lake)
    received(lake, days_before(today(), 60, 30))
    job_ran(lake, days_before(today(), 29, 2))

    run(retention, settings)

    assert readings(settings) == 0


def test_gap_that_costs_nothing_is_no_reason_to_refuse(settings: Settings) -> None:
    lake = lake_of(settings)
    received(lake, days_before(today(), 60, 40))

    assert run(retention, settings)["tables"] == {}


def test_day_behind_a_gap_is_believed_once_it_lasts(settings: Settings) -> None:
    lake, ahead = lake_of(settings), today() + 365 * DAY
    received(lake, days_before(today(), 30, 0))

    assert believed_day(lake, today()) == today()
    assert believed_day(lake, today() + 7 * DAY) == today() + 7 * DAY
    assert believed_day(lake, today() + 8 * DAY) == today()
    assert believed_day(lake, ahead) == today()
    # What comes and runs while it is ahead has its days as well.
    received(lake, [ahead])
    job_ran(lake, [ahead + n * DAY for n in range(1, 12)])
    assert believed_day(lake, ahead + 12 * DAY) == today()
    assert believed_day(lake, today() + DAY) == today() + DAY, "set back"
    job_ran(lake, [ahead + 12 * DAY])
    assert believed_day(lake, ahead + 13 * DAY) == ahead + 13 * DAY


def test_second_jump_does_not_answer_the_first(settings: Settings) -> None:
    lake = lake_of(settings)
    received(lake, [today(), today() + 100 * DAY])
    job_ran(lake, [today() - DAY], "retention", today=f"{today() - DAY}")

    assert believed_day(lake, today() + 200 * DAY) == today()


def test_run_that_was_refused_has_dropped_nothing(settings: Settings) -> None:
    lake, ahead = lake_of(settings), today() + 365 * DAY
    land(lake, today() - 5 * DAY)

    def moment() -> datetime:
        return held_since(lake_of(settings), [], today()).since["default"]

    before = moment()
    job_ran(lake, [ahead], "retention", error="[CLOCK_AHEAD] this machine's clock says")
    assert moment() == before
    job_ran(lake, [ahead], "retention", error="killed in the middle")
    assert moment() > before


def test_lake_without_a_past_goes_by_the_clock(settings: Settings) -> None:
    assert believed_day(lake_of(settings), today()) == today()
