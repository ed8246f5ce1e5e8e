"""The dedup job cut short before and after each of its commits: run again, it counts the same."""

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from pyspark.sql import DataFrame, SparkSession

from spark_jobs.commit_info import Txn
from spark_jobs.jobs import dedup
from spark_jobs.jobs.job_runs import Result
from spark_jobs.lake import Frame, Lake
from telemetry.settings import Settings
from telemetry.tables import DEVICE_DUPLICATES, LATE, READINGS, Table
from tests.spark_jobs.empty_lakes import create_all
from tests.spark_jobs.gold_fleet import fleet
from tests.spark_jobs.silver_rows import silver

pytestmark = [pytest.mark.spark, pytest.mark.timeout(900)]
MESSAGES = 6
MOMENT = pl.Datetime("us", "UTC")


class CutLake(Lake):
    """Is cut short before or after one table is rewritten."""

    def __init__(self, root: str, cut: tuple[str, Table]) -> None:
        super().__init__(root)
        self._cut = cut

    def _is_cut(self, when: str, table: Table) -> None:
        if self._cut == (when, table):
            raise KeyboardInterrupt(f"{when} {table.name}")

    def rewrite(self, frame: DataFrame, table: Table, partitions: str, txn: Txn) -> None:
        self._is_cut("before", table)
        super().rewrite(frame, table, partitions, txn)
        self._is_cut("after", table)

    def replace(
        self,
        table: Table,
        frame: Frame,
        predicate: str | None,
        txn: Txn | None,
        info: Mapping[str, str] | None = None,
    ) -> bool:
        self._is_cut("before", table)
        is_done = super().replace(table, frame, predicate, txn, info)
        self._is_cut("after", table)
        return is_done


def run(settings: Settings, lake: Lake, *words: str) -> Result:
    parser = argparse.ArgumentParser()
    dedup.add_arguments(parser)
    return dedup.run(parser.parse_args(words), settings, lake)


def test_dedup_cut_short_anywhere_counts_each_copy_once(
    spark: SparkSession, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path)
    lake = Lake(settings.lake_root)
    create_all(lake)
    readings = fleet(seed=5, messages=2 * MESSAGES)
    first, second = (pl.col("seq") < MESSAGES, pl.col("seq") >= MESSAGES)
    for _ in range(2):
        lake.append(READINGS, silver(readings.filter(first), READINGS), None)
        lake.append(LATE, silver(readings.filter(second), LATE), None)

    for cut in (("after", READINGS), ("after", LATE), ("after", DEVICE_DUPLICATES)):
        with pytest.raises(KeyboardInterrupt):
            run(settings, CutLake(lake.root, cut), "--all")
    run(settings, lake, "--all")

    assert lake.scan(READINGS).collect().height == readings.filter(first).height
    assert lake.scan(LATE).collect().height == readings.filter(second).height
    assert lake.scan(DEVICE_DUPLICATES).collect()["removed"].sum() == 2 * MESSAGES


def days_ago(readings: pl.DataFrame, days: int, *, offset: int) -> pl.DataFrame:
    """Return readings as if their messages had come on another day, under offsets of their own."""
    at = datetime.now(UTC) - timedelta(days=days)
    came = readings.with_columns(event_time=pl.lit(at), received_at=pl.lit(at))
    rows = silver(came.cast({"event_time": MOMENT, "received_at": MOMENT}), READINGS)
    return rows.with_columns(pl.col("offset") + offset)


def test_copy_under_another_date_is_found_without_asking_for_all(
    spark: SparkSession, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path)
    lake = Lake(settings.lake_root)
    lake.create_all()
    readings = fleet(seed=5, messages=MESSAGES)
    for days in (9, 5):
        boot = pl.lit(f"b{days}")
        lake.append(READINGS, days_ago(readings.with_columns(boot=boot), days, offset=0), None)
    assert run(settings, lake)["dates"] == 2
    again = readings.with_columns(boot=pl.lit("b9")).filter(pl.col("seq") < 2)
    lake.append(READINGS, days_ago(again, 1, offset=1000), None)
    before = lake.scan(READINGS).collect()

    told = run(settings, lake)

    assert (told["dates"], told["removed_messages"]) == (2, 2)
    kept = lake.scan(READINGS).collect()
    assert kept.height == before.height - again.height
    assert kept.filter(pl.col("offset") >= 1000).is_empty(), "the first copies stay"
    assert run(settings, lake)["removed_messages"] == 0
