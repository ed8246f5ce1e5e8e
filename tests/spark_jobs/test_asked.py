"""SQL over tables of the lake names them as their declarations do, wherever the lake lies."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from pyspark.sql import SparkSession

from spark_jobs.asked import ask
from spark_jobs.lake import Lake
from telemetry.tables import DEVICE_DAY, DEVICE_HOUR

pytestmark = pytest.mark.spark
NOON = datetime(2026, 10, 20, 12, tzinfo=UTC)


def test_tables_are_asked_by_name_whatever_their_path_and_as_they_are_now(
    spark: SparkSession, tmp_path: Path
) -> None:
    lake = Lake(str(tmp_path / "o'clock `gold.device_day`" / "lake"))
    for table in (DEVICE_HOUR, DEVICE_DAY):
        lake.create(table)
    query = (
        "select count(*) from gold.device_hour as hour"
        " left join gold.device_day as day on day.device_full = hour.device_full"
    )
    for count in range(1, 3):
        start = NOON + timedelta(hours=count)
        said = {
            "tenant": "default", "device_full": "meter.d1", "product": "meter", "metric": "kwh",
            "window_start": start, "window_end": start + timedelta(hours=1), "count": 1,
            "is_final": True, "retention_class": "default", "window_period": start.date(),
        }  # fmt: skip
        schema = lake.scan(DEVICE_HOUR).collect_schema()
        lake.append(DEVICE_HOUR, pl.DataFrame([said], schema=schema), None)

        assert ask(spark, lake, query, (DEVICE_HOUR, DEVICE_DAY)).collect()[0][0] == count
