"""Copies of a reading: which is the first, and how many more each device has."""

import polars as pl
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

MESSAGE = ["tenant", "device_full", "boot", "seq"]
ITEM = ["topic", "partition", "offset", "item"]
_ORDER = ["kafka_time", *ITEM]
_DEVICE_DAY = ["tenant", "device_full", "day"]
_COUNTS = ["duplicates", "conflicts", "removed"]
_FIRST = [f"first_{name}" for name in ITEM]
LATER, AGAIN = "later", "again"
REMOVED = ["copy", "nth", *ITEM]
"""What names one copy of a message."""


def numbered(readings: DataFrame) -> DataFrame:
    """Add where the first message of each key is, and what each row is beside that.

    `copy` is null for the rows of first messages, `later` for those of other messages with the
    same key, and `again` where a row of a first message is there once more. A message in both
    tables of silver is kept where it is not late.
    """
    by_message = Window.partitionBy(*MESSAGE).orderBy(*_ORDER)
    row = Window.partitionBy(*MESSAGE, *ITEM, "metric").orderBy(F.col("source").desc())
    is_first = F.dense_rank().over(by_message) == 1
    nth = F.row_number().over(row)
    first = F.first(F.struct(*ITEM)).over(by_message)
    placed = readings.withColumn("first_copy", first).withColumn(
        "copy", F.when(~is_first, F.lit(LATER)).when(nth > 1, F.lit(AGAIN))
    )
    firsts = [F.col(f"first_copy.{name}").alias(f"first_{name}") for name in ITEM]
    return placed.select(*readings.columns, "copy", nth.alias("nth"), *firsts)


def removed_messages(copies: DataFrame) -> DataFrame:
    """Return a row for each message, or part of one, that is there again, with its readings."""
    gone = copies.where(F.col("copy").isNotNull())
    counted = gone.groupBy(
        "copy",
        "nth",
        "source",
        "retention_class",
        "event_date",
        *MESSAGE,
        *ITEM,
        "product",
        "zone",
        "schema_version",
        "event_time",
        "received_at",
        "kafka_time",
        *_FIRST,
    ).agg(F.count("*").alias("readings"))
    return counted.withColumn("day", F.to_date("received_at"))


def by_device_and_day(aside: dict[str, pl.DataFrame], removed: pl.DataFrame) -> pl.DataFrame:
    """Return rows of ops.duplicates: messages set aside, by name of the count, and removed ones.

    Frames have tenant, device_full, product, day and the first copy's coordinates: the row shows
    those of its earliest. `removed` has what it counts beside.
    """
    earliest = pl.col(_FIRST).sort_by(_FIRST, nulls_last=True).first()
    counted = [
        frame.with_columns(pl.col("device_full").fill_null(""))
        .group_by(*_DEVICE_DAY)
        .agg(
            pl.col("product").drop_nulls().first(),
            pl.len().cast(pl.Int64).alias(name),
            earliest,
        )
        for name, frame in aside.items()
    ]
    summed = removed.group_by(_DEVICE_DAY).agg(
        pl.col("product").first(), pl.col("removed").sum(), earliest
    )
    together = pl.concat([*counted, summed], how="diagonal_relaxed")
    counts = [pl.col(name).sum() for name in _COUNTS]
    rows = together.group_by(_DEVICE_DAY).agg(
        pl.col("product").drop_nulls().first(), *counts, earliest
    )
    return rows.with_columns(pl.col("product").fill_null(""), pl.col(_COUNTS).fill_null(0))
