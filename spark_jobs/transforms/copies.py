"""Copies of a reading: which is the first, and how many more each device has."""

import polars as pl
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from telemetry.tables import READINGS

KEY = list(READINGS.key)
_ORDER = ["kafka_time", "topic", "partition", "offset", "item"]
_DEVICE_DAY = ["tenant", "device_full", "day"]
_COUNTS = ["duplicates", "conflicts", "removed"]


def numbered(readings: DataFrame) -> DataFrame:
    """Number the copies of each key in the order they were appended; 1 is the first."""
    ordered = Window.partitionBy(*KEY).orderBy(*_ORDER)
    return readings.withColumn("copy", F.row_number().over(ordered))


def later_copies(copies: DataFrame) -> DataFrame:
    """Count the messages that are there again, by where they are and by device and day."""
    later = copies.where(F.col("copy") > 1)
    message = F.countDistinct("boot", "seq", "copy")
    counted = later.groupBy(
        "source",
        "retention_class",
        "event_date",
        "tenant",
        "device_full",
        "product",
        F.to_date("received_at").alias("day"),
    ).agg(message.alias("removed"), F.count("*").alias("readings"))
    return counted.select(
        "source",
        "retention_class",
        "event_date",
        "tenant",
        "device_full",
        "product",
        "day",
        "removed",
        "readings",
    )


def by_device_and_day(aside: dict[str, pl.DataFrame], removed: pl.DataFrame) -> pl.DataFrame:
    """Return rows of ops.duplicates: messages set aside, by name of the count, and removed ones.

    Frames have tenant, device_full, product and day; `removed` and what it counts beside.
    """
    counted = [
        frame.with_columns(pl.col("device_full").fill_null(""))
        .group_by(*_DEVICE_DAY)
        .agg(pl.col("product").drop_nulls().first(), pl.len().cast(pl.Int64).alias(name))
        for name, frame in aside.items()
    ]
    summed = removed.group_by(_DEVICE_DAY).agg(pl.col("product").first(), pl.col("removed").sum())
    together = pl.concat([*counted, summed], how="diagonal_relaxed")
    counts = [pl.col(name).sum() for name in _COUNTS]
    rows = together.group_by(_DEVICE_DAY).agg(pl.col("product").drop_nulls().first(), *counts)
    return rows.with_columns(pl.col("product").fill_null(""), pl.col(_COUNTS).fill_null(0))
