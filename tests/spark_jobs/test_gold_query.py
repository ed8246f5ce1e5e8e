"""The query gold over Delta silver: batches, restarts, marks, and a lost checkpoint."""

import shutil
from datetime import date
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
from pyspark.sql import SparkSession

from edge.registry_files import RegistryFiles
from spark_jobs.gold_state import GoldFiles, OwnedError
from spark_jobs.jobs.gold_query import GoldQuery
from spark_jobs.jobs.gold_tables import WINDOW_TABLES
from spark_jobs.jobs.job_runs import Days
from spark_jobs.jobs.restating import restate, whole_days
from spark_jobs.lake import Lake
from spark_jobs.restatements import Mark, Restatements, Versions
from telemetry.settings import Settings
from telemetry.tables import DELIVERY_DELAY, DEVICE_MINUTE, LATE, READINGS, Table
from tests.spark_jobs.empty_lakes import create_all
from tests.spark_jobs.gold_fleet import NOON, PRODUCTS, fleet, grouped, in_batches
from tests.spark_jobs.silver_rows import silver

pytestmark = pytest.mark.spark
ALL = (*WINDOW_TABLES, DELIVERY_DELAY)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(home=tmp_path)
    create_all(Lake(made.lake_root))
    for product in PRODUCTS:
        RegistryFiles(made.registry_dir).put_product(product)
    return made


def land(settings: Settings, readings: pl.DataFrame) -> None:
    """Put readings into silver as landing does: the late ones aside."""
    lake = Lake(settings.lake_root)
    is_late = (pl.col("product") == "meter") & (
        pl.col("received_at") - pl.col("event_time") > pl.duration(seconds=30)
    )
    lake.append(READINGS, silver(readings.filter(~is_late), READINGS), None)
    lake.append(LATE, silver(readings.filter(is_late), LATE), None)


def advance(spark: SparkSession, settings: Settings) -> GoldQuery:
    query = GoldQuery(settings)
    running = query.start(spark, "available-now")
    running.awaitTermination()
    query.close()
    return query


def gold(settings: Settings) -> dict[str, pd.DataFrame]:
    lake = Lake(settings.lake_root)
    return {table.name: _sorted(lake, table) for table in ALL}


def _sorted(lake: Lake, table: Table) -> pd.DataFrame:
    return lake.scan(table).collect().to_pandas().set_index(list(table.key)).sort_index()


def assert_same(left: dict[str, pd.DataFrame], right: dict[str, pd.DataFrame]) -> None:
    for name, frame in left.items():
        pd.testing.assert_frame_equal(frame, right[name], rtol=1e-9, obj=name)


def test_gold_follows_silver_through_restarts_marks_and_a_lost_checkpoint(
    spark: SparkSession, settings: Settings
) -> None:
    readings = fleet(seed=3, messages=400)
    parts = in_batches(readings, seed=2, batches=4)
    advance(spark, settings)
    for part in parts[:3]:
        land(settings, part)
        query = advance(spark, settings)
    assert query.figures().lag_messages == 0
    land(settings, parts[3])
    assert query.figures().lag_messages == parts[3].height
    query = advance(spark, settings)
    assert query.figures().lag_messages == 0
    assert set(query.figures().watermarks) == {"meter"}
    assert query.figures().never_final == ("archive",)
    followed = gold(settings)
    expected = grouped(readings, "device_full", "minute")
    assert list(followed[DEVICE_MINUTE.name].index) == list(expected.index)
    assert list(followed[DEVICE_MINUTE.name]["count"]) == list(expected["count"])

    shutil.rmtree(settings.checkpoint_dir)
    advance(spark, settings)
    assert_same(gold(settings), followed)

    readings_table = Lake(settings.lake_root).table(READINGS)
    readings_table.delete("device_full = 'meter.d1'")
    late_table = Lake(settings.lake_root).table(LATE)
    late_table.delete("device_full = 'meter.d1'")
    marks = Restatements(Lake(settings.lake_root))
    days = whole_days([Days(date(2026, 10, 20), date(2026, 10, 21))])
    versions = Versions(readings_table.version(), late_table.version())
    marks.mark(days, Mark("one", "rebuild-gold", NOON, versions))
    advance(spark, settings)
    without = grouped(readings.filter(pl.col("device_full") != "meter.d1"), "device_full", "minute")
    restated = gold(settings)
    assert list(restated[DEVICE_MINUTE.name].index) == list(without.index)
    assert marks.marks().is_empty()

    shutil.rmtree(settings.checkpoint_dir)
    advance(spark, settings)
    assert_same(gold(settings), restated)


def test_rows_put_in_place_of_none_while_gold_stands_still_are_counted_once(
    spark: SparkSession, settings: Settings
) -> None:
    readings, lake = fleet(seed=4, messages=200), Lake(settings.lake_root)
    is_mine = pl.col("device_full") == "meter.d1"
    land(settings, readings.filter(~is_mine))
    advance(spark, settings)

    mine = silver(readings.filter(is_mine), READINGS)
    lake.replace(READINGS, mine, "device_full = 'meter.d1'", None)
    days = [Days(date(2026, 10, 20), date(2026, 10, 21))]
    assert restate(settings, lake, days, "replay", NOON) == "done"
    advance(spark, settings)

    counts = lake.scan(DEVICE_MINUTE).collect().to_pandas().set_index(list(DEVICE_MINUTE.key))
    expected = grouped(readings, "device_full", "minute")
    assert list(counts.sort_index()["count"]) == list(expected["count"])


def test_gold_has_one_owner(settings: Settings) -> None:
    files = GoldFiles(settings.checkpoint_dir / "gold")
    with files.owned(), pytest.raises(OwnedError), files.owned():
        pass
