"""Builders of small lakes for tests: tables as the streams leave them, written by delta-rs."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from deltalake import write_deltalake

from telemetry.tables import DELIVERY_DELAY, DEVICE_WINDOWS, LATE, READINGS, Table

TYPES: Mapping[str, pl.DataType] = {
    "string": pl.String(),
    "long": pl.Int64(),
    "int": pl.Int32(),
    "double": pl.Float64(),
    "boolean": pl.Boolean(),
    "timestamp": pl.Datetime("us", "UTC"),
    "date": pl.Date(),
    "binary": pl.Binary(),
}
NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
Row = Mapping[str, object]


def put(lake: Path, table: Table, rows: Sequence[Row]) -> None:
    """Write rows with the columns that have a simple type; what a row leaves out is null."""
    types = {column.name: TYPES[column.type] for column in table.columns if column.type in TYPES}
    frame = pl.DataFrame([{name: row.get(name) for name in types} for row in rows], types)
    write_deltalake(lake / Path(*table.name.split(".")), frame.to_arrow(), mode="append")


def reading(
    device: str,
    metric: str,
    at: datetime,
    value: float | bool | str | None,
    unit: str | None = None,
) -> Row:
    """Return a row of silver.readings."""
    column = {bool: "value_bool", str: "value_text"}.get(type(value), "value")
    return {
        "tenant": "default",
        "device_full": device,
        "product": device.partition(".")[0],
        "metric": metric,
        "event_time": at,
        "seq": 0,
        column: value,
        "unit": unit,
        "quality": "sentinel" if value is None else "ok",
    }


def window(device: str, metric: str, start: datetime, mean: float) -> Row:
    """Return a row of a gold window."""
    return {
        "tenant": "default",
        "device_full": device,
        "metric": metric,
        "window_start": start,
        "count": 2,
        "mean": mean,
        "min": mean - 1,
        "max": mean + 1,
    }


def delay(product: str, hour: datetime, p99: float) -> Row:
    """Return a row of ops.delivery_delay."""
    seconds = {"p50": p99 / 4, "p95": p99 / 2, "p99": p99, "max": p99 * 2}
    return {"tenant": "default", "product": product, "hour": hour, "count": 100, **seconds}


def lake_of(
    home: Path,
    *,
    readings: Sequence[Row] = (),
    windows: Mapping[str, Sequence[Row]] | None = None,
    delays: Sequence[Row] = (),
) -> Path:
    """Make the tables that plots read, and return the lake's root."""
    lake = home / "lake"
    put(lake, READINGS, readings)
    put(lake, LATE, ())
    for width, table in DEVICE_WINDOWS.items():
        put(lake, table, (windows or {}).get(width, ()))
    put(lake, DELIVERY_DELAY, delays)
    return lake
