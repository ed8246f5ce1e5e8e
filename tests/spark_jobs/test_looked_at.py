"""Which dates are due is told by what was looked at, whatever the clock said meanwhile."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import CommitProperties

from spark_jobs import packing, table_files
from spark_jobs.jobs.dedup import ASIDE, CLOSED, LOOKED_AT, SILVER, closed_dates, due
from spark_jobs.jobs.looked_at import Note, look
from spark_jobs.lake import Lake
from telemetry.tables import DUPLICATES, JOB_RUNS, READINGS
from tests.spark_jobs.gold_fleet import fleet
from tests.spark_jobs.silver_rows import silver

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
FIRST, SECOND = NOON.date(), (NOON + DAY).date()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(str(tmp_path / "lake"))
    for table in (*LOOKED_AT, JOB_RUNS):
        made.create(table)
    return made


def rows(at: datetime) -> pl.DataFrame:
    return silver(fleet(seed=1, messages=3).with_columns(event_time=pl.lit(at)), READINGS)


def land(lake: Lake, *times: datetime) -> None:
    for at in times:
        lake.append(READINGS, rows(at), None)


def land_by_a_clock_set_back(lake: Lake, at: datetime) -> None:
    """Append a file that is, by its own time, older than all that is there."""
    written = lake.row_files(READINGS).write([rows(at)])
    old = [replace(one, modification_time=one.modification_time - 86_400_000) for one in written]
    table_files.commit(lake.table(READINGS), READINGS, [*old], CommitProperties())


def run(lake: Lake, note: Path, now: datetime = NOON + 9 * DAY) -> list[date]:
    """Look as the job dedup does at the dates that are due, and return them."""
    noted = Note(note)
    looked = {table.name: look(lake.table(table), table) for table in LOOKED_AT}
    found = closed_dates(lake, due(lake, noted, looked, SILVER), None, now)
    noted.keep(looked, {CLOSED: [f"{(now - DAY).date()}"]})
    return found


def test_only_dates_with_new_rows_are_due(lake: Lake, tmp_path: Path) -> None:
    land(lake, NOON, NOON + DAY)

    assert run(lake, tmp_path / "note") == [FIRST, SECOND]
    assert run(lake, tmp_path / "note") == []
    land(lake, NOON)
    assert run(lake, tmp_path / "note") == [FIRST]


def test_rows_that_came_by_a_clock_that_was_set_back_are_due(lake: Lake, tmp_path: Path) -> None:
    land(lake, NOON, NOON + DAY)
    run(lake, tmp_path / "note")

    land_by_a_clock_set_back(lake, NOON)

    assert run(lake, tmp_path / "note") == [FIRST]


def test_day_that_was_open_is_due_once_it_is_closed(lake: Lake, tmp_path: Path) -> None:
    land(lake, NOON)
    runs = [NOON + timedelta(hours=1), NOON + DAY, NOON + 2 * DAY]

    assert [run(lake, tmp_path / "note", at) for at in runs] == [[], [FIRST], []]


@pytest.mark.parametrize("forgets", [False, True], ids=["log", "log shortened"])
def test_files_that_are_packed_make_nothing_due(lake: Lake, tmp_path: Path, forgets: bool) -> None:
    land(lake, NOON, NOON, NOON + DAY, NOON + DAY)
    run(lake, tmp_path / "note")

    land(lake, NOON)
    packing.pack(lake, READINGS, lake.files(READINGS))
    if forgets:
        forget(lake)

    partitions = [f"partition.{name}" for name in READINGS.partition_by]
    assert lake.files(READINGS).select(partitions).is_unique().all()
    assert run(lake, tmp_path / "note") == [FIRST]
    packing.pack(lake, READINGS, lake.files(READINGS))
    assert run(lake, tmp_path / "note") == []


def forget(lake: Lake) -> None:
    """Shorten the log: what is needed to read the newest version is in a checkpoint."""
    handle = lake.table(READINGS)
    handle.create_checkpoint()
    log = Path(lake.uri(READINGS)) / "_delta_log"
    for version in range(handle.version()):
        (log / f"{version:020d}.json").unlink(missing_ok=True)


def test_what_was_set_aside_since_is_counted_by_its_day(lake: Lake, tmp_path: Path) -> None:
    run(lake, tmp_path / "note")
    said = silver(fleet(seed=1, messages=2), DUPLICATES)
    lake.append(DUPLICATES, said.with_columns(received_date=pl.lit(FIRST)), None)

    looked = {table.name: look(lake.table(table), table) for table in LOOKED_AT}
    assert due(lake, Note(tmp_path / "note"), looked, ASIDE.values()) == {FIRST}


@pytest.mark.parametrize("text", ["", '{"tables": {"silver'])
def test_damaged_note_is_none(lake: Lake, tmp_path: Path, text: str) -> None:
    land(lake, NOON)
    run(lake, tmp_path / "note")
    (tmp_path / "note").write_text(text)

    assert run(lake, tmp_path / "note") == [FIRST]
