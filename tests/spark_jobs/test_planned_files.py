"""What is read of a batch's files is what Spark's own source brings for that batch."""

from pathlib import Path

import polars as pl
import pytest
from deltalake import CommitProperties
from polars.testing import assert_frame_equal
from pyspark.sql import DataFrame, SparkSession

from spark_jobs import table_files
from spark_jobs.gold_state import GoldFiles, Position
from spark_jobs.jobs.gold import SOURCES
from spark_jobs.lake import Lake
from spark_jobs.planned_files import FRAME_ROWS, PlannedFiles, Unread, planned_files
from spark_jobs.row_files import PACKED
from spark_jobs.table_files import RESTATED
from spark_jobs.transforms.partials import READING_COLUMNS
from telemetry.tables import LATE, READINGS, Table
from tests.spark_jobs.gold_fleet import fleet, in_batches
from tests.spark_jobs.silver_rows import silver

Batches = list[tuple[pl.DataFrame, PlannedFiles]]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake of what silver goes through: appends over days, a rewrite, a packing."""
    made = Lake(str(tmp_path / "lake"))
    for table in SOURCES:
        made.create(table)
    parts = in_batches(fleet(seed=5, messages=200), seed=1, batches=6)
    for number, part in enumerate(parts):
        made.append(READINGS, silver(part, READINGS), None)
        if number % 2:
            made.append(LATE, silver(part.head(9), LATE), None)
        if number == 2:
            made.delete(READINGS, "zone = 'north'")
        if number == 3:
            small = made.files(READINGS)
            table_files.commit(
                made.table(READINGS),
                READINGS,
                table_files.pack(made.row_files(READINGS), small),
                CommitProperties(custom_metadata={PACKED: str(small.height)}),
            )
    return made


def unread(lake: Lake, table: Table, first: Position, until: Position) -> Unread:
    return Unread(lake.uri(table), table.name, first, until)


def batches(spark: SparkSession, lake: Lake, home: Path, most_files: int) -> Batches:
    """Run a stream over both tables; return what each batch held, and what was planned for it."""
    seen: Batches = []
    files, at = GoldFiles(home / "gold"), dict.fromkeys(SOURCES, Position(0))
    ids = {table: str(lake.table(table).metadata().id) for table in SOURCES}

    def take(frame: DataFrame, batch_id: int) -> None:
        untils = {table: files.positions(batch_id)[ids[table]] for table in SOURCES}
        found = pl.from_arrow(frame.toArrow())
        assert isinstance(found, pl.DataFrame)
        spans = [unread(lake, table, at[table], untils[table]) for table in SOURCES]
        seen.append((found, planned_files(spans, READING_COLUMNS, most_tasks=3)))
        at.update(untils)

    options = {"startingVersion": 0, "maxFilesPerTrigger": most_files}
    readings, late = (
        lake.stream(spark, table, options).select(*READING_COLUMNS) for table in SOURCES
    )
    writer = readings.unionByName(late).writeStream.foreachBatch(take)
    located = writer.option("checkpointLocation", str(home / "gold"))
    located.trigger(availableNow=True).start().awaitTermination()
    return seen


def rows_of(planned: PlannedFiles) -> pl.DataFrame:
    frames = [frame for task in range(len(planned.tasks)) for frame in planned.frames(task)]
    return pl.concat(frames) if frames else pl.DataFrame()


@pytest.mark.spark
@pytest.mark.parametrize("most_files", [1, 3, 1000])
def test_planned_files_hold_the_rows_of_the_batch(
    spark: SparkSession, lake: Lake, tmp_path: Path, most_files: int
) -> None:
    seen = batches(spark, lake, tmp_path, most_files)

    assert len(seen) > 1 or most_files == 1000
    for found, planned in seen:
        assert planned.rows == found.height
        if found.height:
            assert_frame_equal(rows_of(planned), found, check_row_order=False)


def test_rows_whose_windows_are_made_again_are_not_read_as_new(lake: Lake) -> None:
    before = Position(lake.table(READINGS).version() + 1)
    rows = lake.scan(READINGS).head(3).collect().with_columns(device_full=pl.lit("meter.new"))
    lake.replace(READINGS, rows, "device_full = 'meter.new'", None)
    lake.append(READINGS, rows, None, {RESTATED: "backfill"})
    lake.append(READINGS, rows.head(1), None)
    until = Position(lake.table(READINGS).version() + 1)

    planned = planned_files([unread(lake, READINGS, before, until)], READING_COLUMNS, 1)

    assert until.version == before.version + 3
    assert planned.rows == 1


def test_versions_whose_log_is_gone_are_an_error(lake: Lake) -> None:
    with pytest.raises(FileNotFoundError, match="00000000000000000099"):
        planned_files([unread(lake, READINGS, Position(99), Position(100))], READING_COLUMNS, 1)


def test_nothing_new_is_no_task(lake: Lake) -> None:
    planned = planned_files([unread(lake, LATE, Position(1), Position(1))], READING_COLUMNS, 2)

    assert (planned.tasks, planned.rows) == ((), 0)


def test_a_large_batch_is_shared_out_and_read_in_pieces(lake: Lake) -> None:
    newest = Position(lake.table(READINGS).version() + 1)
    spans = [unread(lake, READINGS, Position(1), newest)]
    small = planned_files(spans, READING_COLUMNS, 4)
    assert len(small.tasks) == 1
    large = tuple(file._replace(rows=FRAME_ROWS - 1) for file in small.tasks[0])

    pieces = list(PlannedFiles((large,), READING_COLUMNS).frames(0))

    assert len(pieces) == len(large) > 1
    assert sum(map(len, pieces)) == small.rows
