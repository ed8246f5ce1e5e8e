"""Rows of tables that keep every rule, for tests to break one at a time."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta

import polars as pl
from pyspark.sql import DataFrame, SparkSession

from spark_jobs.schema import arrow_schema
from telemetry.tables import DEVICE_MINUTE, MESSAGES, READINGS, REJECTED, Table

NOON = datetime(2026, 11, 20, 12, 0, 10, 123456, tzinfo=UTC)
START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY = date(2026, 11, 20)
SECOND = timedelta(seconds=1)
Row = Mapping[str, object]

_COORDINATES = {"topic": "telemetry", "partition": 0, "offset": 7}
_DEVICE = {"tenant": "default", "device_full": "meter.d1", "product": "meter"}
GOOD: Mapping[Table, Row] = {
    MESSAGES: {
        **_COORDINATES,
        "kafka_key": b"meter.d1",
        "kafka_time": NOON,
        "received_at": NOON,
        "tenant": "default",
        "items": 1,
        "received_date": DAY,
    },
    READINGS: {
        **_COORDINATES,
        **_DEVICE,
        "device": "d1",
        "boot": "b",
        "seq": 1,
        "metric": "kwh",
        "item": 0,
        "schema_version": 1,
        "device_time": NOON,
        "event_time": NOON,
        "event_time_us": int(NOON.timestamp() * 1_000_000),
        "received_at": NOON + SECOND,
        "clock": "ok",
        "value": 1.5,
        "quality": "ok",
        "kafka_time": NOON + SECOND,
        "retention_class": "default",
        "event_date": DAY,
    },
    REJECTED: {
        **_COORDINATES,
        "item": 0,
        "tenant": "default",
        "message": b"{",
        "reasons": [{"field": "", "rule": "malformed", "value": "{"}],
        "received_at": NOON,
        "received_date": DAY,
    },
    DEVICE_MINUTE: {
        **_DEVICE,
        "window_start": START,
        "window_end": START + 60 * SECOND,
        "metric": "kwh",
        "count": 2,
        "sum": 3.0,
        "m2": 0.5,
        "min": 1.0,
        "max": 2.0,
        "mean": 1.5,
        "stddev": 0.5**0.5,
        "first": 1.0,
        "last": 2.0,
        "first_at": START,
        "last_at": START + SECOND,
        "is_final": True,
        "retention_class": "default",
        "window_period": DAY,
    },
}


def frame(spark: SparkSession, table: Table, rows: Iterable[Row]) -> DataFrame:
    """Return rows with the table's columns and types; what is not given is null."""
    empty = pl.from_arrow(arrow_schema(table).empty_table())
    assert isinstance(empty, pl.DataFrame)
    filled = [{name: row.get(name) for name in empty.columns} for row in rows]
    return spark.createDataFrame(pl.DataFrame(filled, schema=empty.schema).to_arrow())


def good(table: Table, **changes: object) -> Row:
    """Return a row that keeps every rule, changed."""
    return {**GOOD[table], **changes}
