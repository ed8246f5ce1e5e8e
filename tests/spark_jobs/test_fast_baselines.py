"""Which stored baselines the fast lane broadcasts: each hour that readings may fall into."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from spark_jobs.lake import Lake
from spark_jobs.transforms.fast_baselines import about_now, hour_of_week
from telemetry.tables import BASELINES

pytestmark = pytest.mark.spark
NEWEST, BEFORE = date(2026, 11, 26), date(2026, 11, 25)


def slot_of(moment: datetime) -> int:
    return moment.weekday() * 24 + moment.hour


def stored(lake: Lake, version: date, metric: str) -> None:
    """Store a whole week of one device's metric; each hour's median names it."""
    lake.create(BASELINES)
    row = {"version": version, "tenant": "default", "device_full": "m1", "product": "default",
           "metric": metric, "weeks": 8, "mad": 1.0, "spread": 2.0}  # fmt: skip
    rows = [{**row, "slot": slot, "median": float(slot)} for slot in range(168)]
    frame = pl.DataFrame(rows, schema_overrides={"slot": pl.Int32, "weeks": pl.Int32})
    lake.append(BASELINES, frame.select(BASELINES.column_names), None)


@pytest.mark.parametrize(
    ("now", "ahead", "hours"),
    [
        (datetime(2026, 11, 27, 10, 59, 30, tzinfo=UTC), 61, 3),
        (datetime(2026, 11, 27, 10, 5, tzinfo=UTC), 61, 3),
        (datetime(2026, 11, 27, 10, 20, tzinfo=UTC), 17, 1),
        (datetime(2026, 11, 29, 23, 50, tzinfo=UTC), 17, 2),
        (datetime(2026, 11, 27, 10, 30, tzinfo=UTC), 300, 6),
    ],
)
def test_no_hour_of_a_batch_is_left_out(
    spark: SparkSession, lake: Lake, now: datetime, ahead: int, hours: int
) -> None:
    for version, metric in ((BEFORE, "power"), (NEWEST, "power"), (NEWEST, "voltage")):
        stored(lake, version, metric)
    micros = F.lit(round(now.timestamp()) * 1_000_000)
    span = timedelta(minutes=ahead)

    found = about_now(lake.frame(spark, BASELINES), ["power"], micros, ahead=span).collect()

    minutes = range(-10, ahead + 1)
    wanted = {slot_of(now + timedelta(minutes=minute)) for minute in minutes}
    assert len(wanted) == hours
    assert {row.slot for row in found} == wanted
    assert {(row.version, row.metric) for row in found} == {(NEWEST, "power")}
    assert len(found) == hours


def test_hours_are_counted_from_monday(spark: SparkSession) -> None:
    moments = [datetime(2026, 11, 23, tzinfo=UTC) + timedelta(minutes=45 * n) for n in range(300)]
    micros = [(round(moment.timestamp()) * 1_000_000,) for moment in moments]
    frame = spark.createDataFrame(micros, "at long")
    found = frame.select(hour_of_week(F.col("at")).alias("slot")).collect()
    assert [row.slot for row in found] == [slot_of(moment) for moment in moments]
