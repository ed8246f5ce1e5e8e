"""Marks: which windows rows of silver touch, and which windows of each gold table marks touch."""

from collections.abc import Mapping
from datetime import timedelta

import polars as pl

from spark_jobs.transforms.windows import since_ever
from telemetry.tables import (
    DELIVERY_DELAY,
    DEVICE_MINUTE,
    DEVICE_SLIDING,
    DEVICE_WINDOWS,
    WINDOW_MINUTES,
    ZONE_WINDOWS,
)

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
OF = ["table", "tenant", "product", "device_full", "zone"]
WINDOWS = [*OF, "window_start", "window_end"]
MINUTES = ["tenant", "product", "device_full", "zone", "window_start"]

TOUCHED = ["tenant", "product", "device_full", "zone", "event_time"]
"""What `of_rows` wants of readings."""


def of_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the minutes that readings touch, those of a device that meet as one mark."""
    touched = rows.select(
        pl.lit(DEVICE_MINUTE.name).alias("table"),
        "tenant",
        "product",
        "device_full",
        pl.col("zone").fill_null(""),
        pl.col("event_time").dt.truncate("1m").alias("window_start"),
    )
    return _joined(touched, MINUTE)


def of_delays(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the hours in which readings were received, whose delays they count in."""
    nothing = pl.lit("")
    touched = rows.filter(pl.col("received_at").is_not_null()).select(
        pl.lit(DELIVERY_DELAY.name).alias("table"),
        "tenant",
        "product",
        nothing.alias("device_full"),
        nothing.alias("zone"),
        pl.col("received_at").dt.truncate("1h").alias("window_start"),
    )
    return _joined(touched, HOUR)


def _joined(touched: pl.DataFrame, width: timedelta) -> pl.DataFrame:
    windows = touched.unique().sort(*OF, "window_start")
    begins = (pl.col("window_start").diff().over(OF) != width).fill_null(value=True)
    runs = windows.with_columns(run=begins.cum_sum()).group_by(*OF, "run", maintain_order=True)
    start = pl.col("window_start")
    ends = runs.agg(start.min(), (start.max() + width).alias("window_end"))
    return ends.select(WINDOWS)


def windows_of(marks: pl.DataFrame, width: str) -> pl.DataFrame:
    """Return each window of `width` that marks touch, with whom they are of."""
    starts = pl.datetime_ranges(
        pl.col("window_start").dt.truncate(width), "window_end", width, closed="left"
    )
    each = marks.with_columns(window_start=starts).explode("window_start")
    return each.select(*OF, "window_start").unique()


def touched(minutes: pl.DataFrame, rules: pl.DataFrame) -> Mapping[str, pl.DataFrame]:
    """Return the keys, but for the metric, of the windows that hold some minutes, by table."""
    found = {}
    for subject, tables in (("device_full", DEVICE_WINDOWS), ("zone", ZONE_WINDOWS)):
        for name, table in tables.items():
            width = timedelta(minutes=WINDOW_MINUTES[name])
            at = minutes.with_columns(pl.col("window_start").dt.truncate(width))
            found[table.name] = at.select("tenant", "product", subject, "window_start").unique()
    found[DEVICE_SLIDING.name] = _sliding(minutes, rules)
    return found


def _sliding(minutes: pl.DataFrame, rules: pl.DataFrame) -> pl.DataFrame:
    asked = rules.filter(pl.col("every").is_not_null())
    keys = asked.select("tenant", "product", "width", "every")
    placed = minutes.join(keys, on=["tenant", "product"], how="inner")
    every, width = pl.col("every").cast(pl.Int64), pl.col("width").cast(pl.Int64)
    newest = pl.col("window_start").cast(pl.Int64).floordiv(every) * every
    starts = pl.int_ranges(newest - width + every, newest + every, every)
    spread = placed.with_columns(window_start=starts).explode("window_start")
    moved = since_ever(spread.with_columns(pl.col("window_start").cast(pl.Datetime("us", "UTC"))))
    return moved.select("tenant", "product", "device_full", "window_start").unique()
