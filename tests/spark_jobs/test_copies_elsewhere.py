"""Which other dates hold a key of some dates, in either table of silver."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from spark_jobs.jobs.copies_elsewhere import dates_elsewhere
from spark_jobs.lake import Lake
from telemetry.tables import LATE, READINGS, Table
from tests.spark_jobs.gold_fleet import fleet
from tests.spark_jobs.silver_rows import silver

OLD, EARLY, NEW = (date(2026, 11, day) for day in (2, 12, 20))
EVERY = [OLD, EARLY, NEW]
EACH = 4
"""Rows of a message."""


@pytest.fixture
def silver_lake(lake: Lake) -> Lake:
    """Return a lake with a message of its own on each date."""
    for table in (READINGS, LATE):
        lake.create(table)
    for day, table in ((OLD, LATE), (EARLY, READINGS), (NEW, READINGS)):
        put(lake, table, day, boot=f"{day}")
    return lake


def put(lake: Lake, table: Table, day: date, *, boot: str) -> None:
    at = pl.lit(datetime(day.year, day.month, day.day, 9, tzinfo=UTC)).cast(
        pl.Datetime("us", "UTC")
    )
    message = fleet(seed=5, messages=1).with_columns(event_time=at, boot=pl.lit(boot))
    lake.append(table, silver(message, table), None)


def test_dates_without_a_copy_are_left_alone(silver_lake: Lake) -> None:
    assert dates_elsewhere(silver_lake, [NEW], EVERY) == set()
    assert dates_elsewhere(silver_lake, [], EVERY) == set()


def test_copy_is_found_in_either_table(silver_lake: Lake) -> None:
    put(silver_lake, READINGS, NEW, boot=f"{OLD}")
    assert dates_elsewhere(silver_lake, [NEW], EVERY) == {OLD}

    put(silver_lake, LATE, NEW, boot=f"{EARLY}")
    assert dates_elsewhere(silver_lake, [NEW], EVERY) == {OLD, EARLY}
    assert dates_elsewhere(silver_lake, [NEW], [EARLY]) == {EARLY}


def test_looks_back_as_far_as_there_is_room(silver_lake: Lake) -> None:
    for boot in (OLD, EARLY):
        put(silver_lake, READINGS, NEW, boot=f"{boot}")

    assert dates_elsewhere(silver_lake, [NEW], EVERY, most_rows=4 * EACH) == {EARLY}
    assert dates_elsewhere(silver_lake, [NEW], EVERY, most_rows=EACH) == set()


def test_keys_that_no_other_message_can_have_are_passed_over(silver_lake: Lake) -> None:
    for day in (OLD, NEW):
        put(silver_lake, READINGS, day, boot="k:telemetry:0:0")

    assert dates_elsewhere(silver_lake, [NEW], EVERY) == set()
