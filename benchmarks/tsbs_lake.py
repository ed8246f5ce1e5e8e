"""TSBS's trucks in Headwater's own tables: written by the lake's writer, compacted by its job.

A truck is a device whose product is its model, zone its fleet, customer its driver and firmware its
device version; latitude and longitude are its messages' own, every other field is a metric.
"""

import json
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa

from benchmarks.tsbs_fleet import DIAGNOSTIC_FIELDS, READING_FIELDS, SEED, Day, day
from infra.batch_job import run_job
from spark_jobs.lake import Lake
from spark_jobs.schema import arrow_schema, conform
from telemetry.settings import Settings
from telemetry.tables import (
    DEVICE_DAY,
    DEVICE_FIVE_MINUTES,
    DEVICES,
    READINGS,
    WINDOW_MINUTES,
    Table,
)

TABLES = (DEVICES, READINGS, DEVICE_FIVE_MINUTES, DEVICE_DAY)
WIDTHS = {table: WINDOW_MINUTES[table.name.partition("_")[2]] for table in TABLES[2:]}
METRICS = (*READING_FIELDS[2:], *DIAGNOSTIC_FIELDS)
PIECES = 12
"""So many commits, as large as open days are packed into."""
FORM = 2


def make(home: Path, trucks: int = 100, *, is_open: bool = False) -> dict[str, object]:
    """Write the lake of a home unless it is there; say how long it took.

    An open day has the files that streams leave behind; one that is over has been compacted.
    """
    mark = home / "made.json"
    wanted = {"trucks": trucks, "open": is_open, "seed": SEED, "form": FORM}
    if mark.is_file():
        made: dict[str, object] = json.loads(mark.read_text())
        if made["of"] == wanted:
            return made
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    began = time.perf_counter()
    write(Lake(str(home / "lake")), day(trucks))
    made = {"of": wanted, "lake.written_s": time.perf_counter() - began}
    if not is_open:
        made["lake.compacted_s"] = _compact(home)
    mark.write_text(json.dumps(made))
    return made


def _compact(home: Path) -> float:
    began = time.perf_counter()
    arguments = ["--tables", *(table.name for table in TABLES)]
    outcome = run_job(Settings(home=home), "compact", arguments, lambda _: None)
    if outcome.code:
        raise RuntimeError(outcome.complaint)
    return time.perf_counter() - began


def write(lake: Lake, known: Day) -> None:
    """Write devices and readings, in order of arrival and several commits."""
    for table in TABLES:
        lake.create(table)
    devices = _devices(known.trucks)
    lake.append(DEVICES, _whole(devices, DEVICES), None)
    for piece in _pieces(known):
        told = piece.join(devices, on="device_full")
        lake.append(READINGS, _whole(told.sort(*READINGS.cluster_by, "seq"), READINGS), None)
    for table, minutes in WIDTHS.items():
        windows = _windows(known, minutes).join(devices, on="truck")
        lake.append(table, _whole(windows.sort(table.cluster_by), table), None)


def _whole(rows: pl.DataFrame, table: Table) -> pa.Table:
    """Return rows with all of a table's columns, null where nothing is known."""
    schema = arrow_schema(table)
    absent = [name for name in schema.names if name not in rows.columns]
    nothing = pa.table({name: pa.nulls(len(rows), schema.field(name).type) for name in absent})
    found = rows.to_arrow()
    for name in absent:
        found = found.append_column(name, nothing.column(name))
    return conform(table, found)


def _devices(trucks: pl.DataFrame) -> pl.DataFrame:
    product = pl.col("model").str.to_lowercase()
    return trucks.select(
        pl.lit("default").alias("tenant"),
        (product + "." + pl.col("name")).alias("device_full"),
        pl.col("name").alias("device"),
        product.alias("product"),
        pl.col("fleet").alias("zone"),
        pl.col("driver").alias("customer"),
        pl.col("device_version").alias("firmware"),
        pl.lit(datetime(1900, 1, 1, tzinfo=UTC)).alias("valid_from"),
        "truck",
    )


def _pieces(known: Day) -> Iterator[pl.DataFrame]:
    """Yield readings, a row a metric, as long as their messages follow one another."""
    names = _devices(known.trucks).select("truck", "device_full")
    for at in range(PIECES):
        parts = []
        for kind, frame in enumerate((known.readings, known.diagnostics)):
            first, last = (len(frame) * n // PIECES for n in (at, at + 1))
            parts.append(_long(frame[first:last], kind))
        yield pl.concat(parts, how="diagonal").join(names, on="truck").drop("truck")


def _long(messages: pl.DataFrame, kind: int) -> pl.DataFrame:
    """Return a row a metric that a message has; its number tells the two kinds apart."""
    places = {"latitude": "lat", "longitude": "lng"}
    fields = [name for name in messages.columns if name in METRICS]
    kept = ["truck", "step", "time_us", "arrived_us", *(set(places) & set(messages.columns))]
    rows = messages.unpivot(fields, index=kept, variable_name="metric").drop_nulls("value")
    moment = pl.from_epoch("time_us", time_unit="us").dt.replace_time_zone("UTC")
    arrival = pl.from_epoch("arrived_us", time_unit="us").dt.replace_time_zone("UTC")
    return rows.rename(places, strict=False).select(
        "truck",
        "metric",
        "value",
        pl.col("^lat|lng$"),
        pl.lit("").alias("boot"),
        (pl.col("step") * 2 + kind).alias("seq"),
        moment.alias("event_time"),
        moment.alias("device_time"),
        pl.col("time_us").alias("event_time_us"),
        arrival.alias("received_at"),
        arrival.alias("kafka_time"),
        pl.lit("ok").alias("clock"),
        pl.lit("ok").alias("quality"),
        pl.lit("telemetry").alias("topic"),
        pl.lit(0, pl.Int32).alias("partition"),
        (pl.col("step") * 2 + kind).alias("offset"),
        pl.lit(0, pl.Int32).alias("item"),
        pl.lit("default").alias("retention_class"),
        moment.dt.date().alias("event_date"),
    )


def _windows(known: Day, minutes: int) -> pl.DataFrame:
    """Return gold's windows of each truck and metric."""
    found = [
        _of_metric(frame.drop_nulls(metric), metric, minutes)
        for frame in (known.readings, known.diagnostics)
        for metric in METRICS
        if metric in frame.columns
    ]
    return pl.concat(found)


def _of_metric(messages: pl.DataFrame, metric: str, minutes: int) -> pl.DataFrame:
    width = minutes * 60_000_000
    value, moment = pl.col(metric), pl.from_epoch("time_us", time_unit="us")
    rows = messages.sort("time_us").group_by(
        "truck", (pl.col("time_us") // width * width).alias("start"), maintain_order=True
    )
    start = pl.from_epoch("start", time_unit="us").dt.replace_time_zone("UTC")
    period = start.dt.date()
    return rows.agg(
        value.len().cast(pl.Int64).alias("count"),
        value.sum().alias("sum"),
        ((value - value.mean()) ** 2).sum().alias("m2"),
        value.min().alias("min"),
        value.max().alias("max"),
        value.mean().alias("mean"),
        value.std().alias("stddev"),
        value.first().alias("first"),
        value.last().alias("last"),
        moment.first().dt.replace_time_zone("UTC").alias("first_at"),
        moment.last().dt.replace_time_zone("UTC").alias("last_at"),
    ).select(
        pl.lit(metric).alias("metric"),
        start.alias("window_start"),
        (start + pl.duration(minutes=minutes)).alias("window_end"),
        pl.lit(value=True).alias("is_final"),
        pl.lit("default").alias("retention_class"),
        (period.dt.truncate("1y") if minutes == WINDOW_MINUTES["day"] else period).alias(
            "window_period"
        ),
        pl.exclude("start"),
    )
