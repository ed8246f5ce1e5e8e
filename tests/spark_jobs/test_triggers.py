"""The same records, always on and as scheduled micro-batches: the tables come out the same."""

import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from pyspark.sql import SparkSession

from edge.registry_files import RegistryFiles
from spark_jobs.jobs.gold_query import GoldQuery
from spark_jobs.jobs.gold_tables import WINDOW_TABLES
from spark_jobs.jobs.landing_queries import SharedLanding, SpoolQuery
from spark_jobs.lake import Lake
from spark_jobs.transforms.routes import SILVER
from telemetry.products import Sliding
from telemetry.settings import Settings
from telemetry.tables import DELIVERY_DELAY, MESSAGES
from tests.spark_jobs.landing_fleet import METER, NOW, SECOND, Fleet, enrol, write_segment

pytestmark = [pytest.mark.spark, pytest.mark.timeout(240)]
SEGMENTS, SIZE = 9, 60
HOUR = timedelta(hours=1)
COMPARED = (MESSAGES, *SILVER, *WINDOW_TABLES, DELIVERY_DELAY)
NOT_CONTENT = ["processed_at", "updated_at"]


def home(folder: Path) -> Settings:
    settings = Settings(home=folder, landing_trigger_s=0.2, gold_trigger_s=0.3)
    Lake(settings.lake_root).create_all()
    enrol(settings.registry_dir)
    windowed = replace(METER, sliding=Sliding(HOUR, HOUR / 12), session_gap=HOUR / 60)
    RegistryFiles(settings.registry_dir).put_product(windowed)
    (settings.spool_dir / "partitions").mkdir(parents=True)
    (settings.spool_dir / "partitions" / "00000").touch()
    return settings


def send(settings: Settings, first: int, last: int) -> None:
    """Write some of the fleet's segments, the same bytes at the same times for every home."""
    fleet = Fleet(11)
    for number in range(last):
        at = NOW + number * 45 * SECOND
        records = list(fleet.batch(SIZE, at))
        if number >= first:
            write_segment(settings.spool_dir, records, number * SIZE, at)


def queries(settings: Settings) -> tuple[SpoolQuery, GoldQuery]:
    return SpoolQuery(SharedLanding(settings)), GoldQuery(settings)


def scheduled(spark: SparkSession, settings: Settings, first: int, last: int) -> None:
    """Take up what is there as Dagster's run does: landing, then gold, then the end."""
    send(settings, first, last)
    for query in queries(settings):
        query.start(spark, "available-now").awaitTermination()
        query.close()


def always_on(spark: SparkSession, settings: Settings) -> None:
    """Run both queries while segments arrive, until nothing is left to do."""
    landing, gold = queries(settings)
    running = [query.start(spark, "always") for query in (landing, gold)]
    for number in range(SEGMENTS):
        send(settings, number, number + 1)
        time.sleep(0.3)
    while landing.figures().lag_messages or gold.figures().lag_messages:
        assert all(one.isActive for one in running), [one.exception() for one in running]
        time.sleep(0.2)
    for one in running:
        one.processAllAvailable()
        one.stop()
    landing.close()
    gold.close()


def tables(settings: Settings) -> dict[str, pd.DataFrame]:
    lake = Lake(settings.lake_root)
    found = {}
    for table in COMPARED:
        frame = lake.scan(table).drop(NOT_CONTENT, strict=False).collect().to_pandas()
        found[table.name] = frame.set_index(list(table.key)).sort_index()
    return found


def test_tables_are_the_same_whatever_triggers_the_streams(
    spark: SparkSession, tmp_path: Path
) -> None:
    by_schedule, on = home(tmp_path / "scheduled"), home(tmp_path / "on")
    scheduled(spark, by_schedule, 0, 4)
    scheduled(spark, by_schedule, 4, SEGMENTS)
    always_on(spark, on)

    expected = tables(on)
    assert len(expected[MESSAGES.name]) == SEGMENTS * SIZE
    for name, frame in tables(by_schedule).items():
        assert len(frame), name
        assert_frame_equal(frame, expected[name], rtol=1e-12, obj=name)
