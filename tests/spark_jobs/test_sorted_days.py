"""What Spark sorts: rows of a series lie together, in its order, and nobody's rows change."""

import json
from pathlib import Path

import polars as pl
from deltalake import DeltaTable
from polars.testing import assert_frame_equal
from pyspark.sql import DataFrame, SparkSession

from spark_jobs import sorting
from spark_jobs.lake import Lake
from telemetry.tables import READINGS, Table
from tests.spark_jobs.gold_fleet import fleet
from tests.spark_jobs.silver_rows import silver

WHERE = "retention_class = 'default'"


def rows(lake: Lake) -> pl.DataFrame:
    return lake.scan(READINGS).collect()


def test_rows_of_a_series_lie_together_in_its_order(spark: SparkSession, lake: Lake) -> None:
    lake.create(READINGS)
    for seed in range(3):
        lake.append(READINGS, silver(fleet(seed, 60), READINGS), None)
    before, files = rows(lake), lake.files(READINGS)

    sorting.sort(spark, lake, READINGS, WHERE, sorting.MOST_BYTES - 1)

    order = list(dict.fromkeys([*READINGS.cluster_by, *READINGS.key]))
    columns = sorted(set(before.columns) - {"tags"})
    assert_frame_equal(
        rows(lake).select(columns).sort(columns), before.select(columns).sort(columns)
    )
    is_sorted = pl.col("partition.retention_class") == "default"
    days = files.filter(is_sorted).n_unique(["partition.retention_class", "partition.event_date"])
    made = lake.files(READINGS).filter(is_sorted)
    assert made.height == days < files.filter(is_sorted).height
    for path in made["path"]:
        found = pl.read_parquet(Path(lake.uri(READINGS).removeprefix("file://")) / path)
        assert found.select(order).equals(found.select(order).sort(order))
    assert _moves_alone(lake)


class RacingLake(Lake):
    """Another writer appends as soon as Spark has been told what to read."""

    def frame(self, spark: SparkSession, table: Table, version: int | None = None) -> DataFrame:
        found = super().frame(spark, table, version)
        assert found.schema.names
        Lake(self.root).append(READINGS, silver(fleet(2, 60), READINGS), None)
        return found


def test_rows_that_come_while_spark_sorts_stay(spark: SparkSession, tmp_path: Path) -> None:
    lake = RacingLake(str(tmp_path))
    lake.create(READINGS)
    lake.append(READINGS, silver(fleet(1, 60), READINGS), None)
    before = rows(lake).height

    sorting.sort(spark, lake, READINGS, WHERE, sorting.MOST_BYTES - 1)

    after = rows(Lake(str(tmp_path)))
    columns = sorted(set(after.columns) - {"tags"})
    assert after.height == before + silver(fleet(2, 60), READINGS).height
    assert after.select(columns).is_unique().all()


def _moves_alone(lake: Lake) -> bool:
    """Say whether the newest commit says of all its files that no row changed."""
    table = DeltaTable(lake.uri(READINGS))
    log = Path(lake.uri(READINGS).removeprefix("file://")) / "_delta_log"
    lines = (log / f"{table.version():020d}.json").read_text().splitlines()
    actions = [next(iter(json.loads(line).items())) for line in lines]
    return not any(one["dataChange"] for kind, one in actions if kind in ("add", "remove"))
