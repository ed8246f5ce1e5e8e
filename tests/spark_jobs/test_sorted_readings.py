"""A sorted day of readings: the same rows, a metric a row group, whoever writes meanwhile."""

import json
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError
from polars.testing import assert_frame_equal
from pyspark.sql import DataFrame, SparkSession

from spark_jobs import sorted_readings
from spark_jobs.lake import Lake
from telemetry.tables import READINGS, Table
from tests.spark_jobs.gold_fleet import fleet
from tests.spark_jobs.silver_rows import silver

WHERE = "retention_class = 'default'"
COLUMNS = [name for name in READINGS.column_names if name != "tags"]
ROWS = 5_000


def readings(seed: int, messages: int) -> pl.DataFrame:
    """Return readings as landing has them: with units, and sentinels that say so."""
    is_there = pl.any_horizontal(pl.col("value", "value_text", "value_bool").is_not_null())
    return silver(fleet(seed, messages), READINGS).with_columns(
        quality=pl.when(is_there).then(pl.lit("ok")).otherwise(pl.lit("sentinel")),
        unit=pl.when(pl.col("metric") == "load").then(pl.lit("kW")),
        topic=pl.lit(f"telemetry {seed}"),
    )


def partitions(lake: Lake) -> pl.DataFrame:
    """Return what is to be sorted, as compaction plans it."""
    names = ["partition.retention_class", "partition.event_date"]
    files = lake.files(READINGS).filter(pl.col(names[0]) == "default")
    return files.group_by(names).len("files")


def rows(lake: Lake) -> pl.DataFrame:
    return lake.scan(READINGS).select(COLUMNS).sort(COLUMNS).collect()


def folder(lake: Lake) -> Path:
    return Path(lake.uri(READINGS).removeprefix("file://"))


@pytest.fixture(scope="module")
def sorted_lake(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Lake, pl.DataFrame, pl.DataFrame]:
    """Sort a lake; return it, its rows before, and its files before."""
    lake = Lake(str(tmp_path_factory.mktemp("lake")))
    lake.create(READINGS)
    for seed in range(3):
        lake.append(READINGS, readings(seed, 3000), None)
    before, files = rows(lake), lake.files(READINGS)
    sorted_readings.sort(spark, lake, WHERE, partitions(lake), ROWS)
    return lake, before, files


Sorted = tuple[Lake, pl.DataFrame, pl.DataFrame]


def test_no_row_changes_and_others_partitions_stay(sorted_lake: Sorted) -> None:
    lake, before, files = sorted_lake
    others = pl.col("partition.retention_class") != "default"

    assert_frame_equal(rows(lake), before)
    assert_frame_equal(pl.read_delta(lake.uri(READINGS)).select(COLUMNS).sort(COLUMNS), before)
    stayed = lake.files(READINGS).filter(others)
    assert {*stayed["path"]} == {*files.filter(others)["path"]}
    made = lake.files(READINGS).filter(~others)
    assert len(made) == len(partitions(lake)) < len(files.filter(~others))
    assert made["num_records"].sum() == files.filter(~others)["num_records"].sum()


def test_a_row_group_has_one_metric_in_the_order_of_devices_and_time(sorted_lake: Sorted) -> None:
    lake, _, _ = sorted_lake
    alone = mixed = 0
    for path in lake.files(READINGS).filter(pl.col("partition.retention_class") == "default")[
        "path"
    ]:
        file = pq.ParquetFile(folder(lake) / path)
        for number in range(file.num_row_groups):
            names = ["device_full", "metric", "event_time_us"]
            found = pl.DataFrame(pl.from_arrow(file.read_row_group(number, names)))
            assert found.equals(found.sort(names))
            if found["metric"].n_unique() == 1:
                alone += len(found)
            else:
                mixed += len(found)
    assert alone > 2 * mixed, "most readings are in blocks"


def test_statistics_tell_readers_what_to_leave_out(sorted_lake: Sorted) -> None:
    lake, before, _ = sorted_lake
    default = before.filter(pl.col("retention_class") == "default")
    files = lake.files(READINGS).filter(pl.col("partition.retention_class") == "default")
    for date, of_day in default.group_by("event_date"):
        (file,) = files.filter(pl.col("partition.event_date") == date[0]).iter_rows(named=True)
        for name in ("device_full", "metric", "offset", "event_time_us"):
            assert file[f"min.{name}"] == of_day[name].min()
            assert file[f"max.{name}"] == of_day[name].max()
        assert file["null_count.received_at"] == 0


def test_the_newest_commit_says_that_no_row_changed(sorted_lake: Sorted) -> None:
    lake, _, files = sorted_lake
    version = DeltaTable(lake.uri(READINGS)).version()
    lines = (folder(lake) / f"_delta_log/{version:020d}.json").read_text().splitlines()
    actions = [next(iter(json.loads(line).items())) for line in lines]
    assert {one["dataChange"] for kind, one in actions if kind in ("add", "remove")} == {False}
    ages = [one["modificationTime"] for kind, one in actions if kind == "add"]
    assert max(ages) <= files["modification_time"].max()


class RacingLake(Lake):
    """Another writer is as fast as Spark has been told what to read."""

    is_append = True

    def frame(self, spark: SparkSession, table: Table, version: int | None = None) -> DataFrame:
        found = super().frame(spark, table, version)
        other = Lake(self.root)
        if self.is_append:
            other.append(READINGS, readings(2, 60), None)
        else:
            other.delete(READINGS, "metric = 'load'")
        return found


def racing(path: Path) -> RacingLake:
    lake = RacingLake(str(path))
    lake.create(READINGS)
    lake.append(READINGS, readings(1, 60), None)
    return lake


def test_rows_that_come_while_spark_sorts_stay(spark: SparkSession, tmp_path: Path) -> None:
    lake = racing(tmp_path)
    before = rows(lake)

    sorted_readings.sort(spark, lake, WHERE, partitions(lake))

    expected = pl.concat([before, readings(2, 60).select(COLUMNS)]).sort(COLUMNS)
    assert_frame_equal(rows(Lake(str(tmp_path))), expected)


def test_rows_that_go_while_spark_sorts_do_not_come_back(
    spark: SparkSession, tmp_path: Path
) -> None:
    lake = racing(tmp_path)
    lake.is_append = False

    with pytest.raises(CommitFailedError, match="were changed while they were sorted"):
        sorted_readings.sort(spark, lake, WHERE, partitions(lake))

    assert "load" not in rows(Lake(str(tmp_path)))["metric"].to_list()
