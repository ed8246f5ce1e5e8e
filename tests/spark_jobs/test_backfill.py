"""Backfills: what silver lacks is landed once more, and gold counts it once."""

from argparse import Namespace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal
from pyspark.sql import SparkSession

from spark_jobs.commit_info import Txn
from spark_jobs.jobs import backfill
from spark_jobs.jobs.alone import alone
from spark_jobs.jobs.backfilled import Backfilled
from spark_jobs.jobs.gold_query import GoldQuery
from spark_jobs.jobs.gold_tables import TABLES
from spark_jobs.jobs.job_runs import Days
from spark_jobs.jobs.landing import Landing
from spark_jobs.jobs.landing_queries import RECORDS
from spark_jobs.lake import Lake
from spark_jobs.table_files import RESTATED
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from telemetry.tables import MESSAGES, READINGS
from tests.spark_jobs.empty_lakes import create_all
from tests.spark_jobs.landing_fleet import NOW, SECOND, Fleet, Model, enrol, landed, write_segment
from tests.spark_jobs.replay_home import copied

pytestmark = pytest.mark.spark
DAY = date(2026, 11, 21)
DAYS = Namespace(first=DAY, last=DAY)
MINE = "device_full = 'meter.d1'"
EXPIRED = datetime(2027, 2, 20, tzinfo=UTC)
"""When retention has dropped that day."""


@pytest.fixture
def settings(replay_home: Settings, tmp_path: Path) -> Settings:
    return copied(replay_home, tmp_path / "home")


def advance(spark: SparkSession, settings: Settings) -> None:
    query = GoldQuery(settings)
    query.start(spark, "available-now").awaitTermination()
    query.close()


def assert_gold_is_as_in(made: Settings, settings: Settings) -> None:
    for table in TABLES:
        rows = (Lake(home.lake_root).scan(table) for home in (settings, made))
        found, expected = (
            frame.drop("sketch", strict=False).sort(table.key).collect() for frame in rows
        )
        assert_frame_equal(found, expected, rel_tol=1e-9)


def test_backfill_builds_silver_again_from_bronze(spark: SparkSession, tmp_path: Path) -> None:
    enrol(tmp_path / "registry")
    settings = Settings(home=tmp_path, dedup_recent_keys=50)
    fleet, model, lake = Fleet(6), Model(), Lake(settings.lake_root)
    create_all(lake)
    landing = Landing(settings, lake)
    for batch_id in range(2):
        at = NOW + batch_id * SECOND
        records = list(fleet.batch(150, at))
        model.land(records, batch_id * 150, at)
        path = write_segment(settings.spool_dir, records, batch_id * 150, at)
        frame = spark.read.schema(RECORDS).parquet(str(path))
        landing.land(frame, Txn("landing_spool/1", batch_id))
    empty = Lake(str(settings.home / "second"))
    create_all(empty)
    empty.append(MESSAGES, lake.scan(MESSAGES).collect(), None)

    first = backfill.run(DAYS, settings, empty)
    again = backfill.run(DAYS, settings, empty)

    assert landed(empty) == model.tables
    assert (first["expired"], first["gold"]) == (0, "gold starts from all of silver")
    assert again == {"added": {}, "expired": 0, "gold": "nothing to do"}


def test_backfill_refuses_to_work_beside_landing(settings: Settings) -> None:
    with alone(settings, "landing"), pytest.raises(HeadwaterError, match="runs already"):
        backfill.run(DAYS, settings, Lake(settings.lake_root))


def test_gold_counts_once_what_silver_had_lost_and_has_again(
    spark: SparkSession, replay_home: Settings, settings: Settings
) -> None:
    lake = Lake(settings.lake_root)
    lake.delete(READINGS, MINE)

    result = backfill.run(DAYS, settings, lake)
    advance(spark, settings)

    assert (result["gold"], result["expired"]) == ("done", 0)
    assert landed(lake) == landed(Lake(replay_home.lake_root))
    assert_gold_is_as_in(replay_home, settings)


def test_rows_of_a_backfill_that_was_killed_are_counted_by_the_next(
    spark: SparkSession, replay_home: Settings, settings: Settings
) -> None:
    lake = Lake(settings.lake_root)
    mine = lake.scan(READINGS).filter(device_full="meter.d1").collect()
    lake.delete(READINGS, MINE)
    advance(spark, settings)
    Backfilled(settings.checkpoint_dir / "backfill.begun", lake)
    lake.append(READINGS, mine, None, {RESTATED: "backfill"})

    result = backfill.run(DAYS, settings, lake)
    advance(spark, settings)

    assert result == {"added": {}, "expired": 0, "gold": "done"}
    assert_gold_is_as_in(replay_home, settings)


def test_what_retention_has_dropped_is_not_landed_again(
    spark: SparkSession, replay_home: Settings, settings: Settings
) -> None:
    lake = Lake(settings.lake_root)
    lake.delete(READINGS, "retention_class = 'default'")
    left = landed(lake)

    result = backfill.land_lacking(settings, lake, Days(DAY, DAY), EXPIRED)
    advance(spark, settings)

    assert result["expired"]
    assert (result["added"], landed(lake)) == ({}, left)
    assert_gold_is_as_in(replay_home, settings)
