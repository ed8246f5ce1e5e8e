"""Which stored baselines the fast lane broadcasts: each hour that readings may fall into."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from spark_jobs.jobs.fast_known import Known
from spark_jobs.lake import Lake
from spark_jobs.transforms.fast_baselines import hour_of_week, hours_about
from telemetry.errors import HeadwaterError
from telemetry.tables import BASELINES, DEVICES

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
    lake: Lake, tmp_path: Path, now: datetime, ahead: int, hours: int
) -> None:
    for version, metric in ((BEFORE, "power"), (NEWEST, "power"), (NEWEST, "voltage")):
        stored(lake, version, metric)
    lake.create(DEVICES)

    Known(tmp_path).write(lake, ["power"], hours_about(now, timedelta(minutes=ahead)))

    found = pl.read_parquet(tmp_path / "baselines.parquet")
    minutes = range(-10, ahead + 1)
    wanted = {slot_of(now + timedelta(minutes=minute)) for minute in minutes}
    assert len(wanted) == hours
    assert set(found["slot"]) == wanted
    assert set(found.select("version", "metric").rows()) == {(NEWEST, "power")}
    assert len(found) == hours


def test_a_span_of_weeks_is_every_hour_once(lake: Lake) -> None:
    now = datetime(2026, 11, 27, 10, tzinfo=UTC)
    assert sorted(hours_about(now, timedelta(days=20))) == list(range(168))


def test_lake_that_has_no_baselines_yet_knows_of_none(
    spark: SparkSession, lake: Lake, tmp_path: Path
) -> None:
    for table in (DEVICES, BASELINES):
        lake.create(table)
    known = Known(tmp_path)

    known.write(lake, ["power"], [1, 2])

    assert known.places(spark).count() == known.baselines(spark).count() == 0


def test_lake_that_cannot_be_read_is_an_error_of_ours(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(HeadwaterError, match="cannot be read"):
        Known(tmp_path).write(lake, ["power"], [1])


def test_hours_are_counted_from_monday(spark: SparkSession) -> None:
    moments = [datetime(2026, 11, 23, tzinfo=UTC) + timedelta(minutes=45 * n) for n in range(300)]
    micros = [(round(moment.timestamp()) * 1_000_000,) for moment in moments]
    frame = spark.createDataFrame(micros, "at long")
    found = frame.select(F.expr(hour_of_week("at")).alias("slot")).collect()
    assert [row.slot for row in found] == [slot_of(moment) for moment in moments]
