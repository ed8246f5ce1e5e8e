"""Rows of silver whose record bronze does not hold: nothing can make them again."""

from collections.abc import Iterable

import polars as pl

from telemetry.errors import HeadwaterError
from telemetry.tables import MESSAGES

_PLACE = ["topic", "partition"]
_RECORD = [*_PLACE, "offset"]


def orphans(bronze: pl.LazyFrame, silver: Iterable[pl.LazyFrame]) -> pl.DataFrame:
    """Return the records that silver has rows of and bronze lacks, by topic and partition.

    For each: how many, the first and last offset, and when they were received.
    """
    held = pl.concat(rows.select(*_RECORD, "received_at") for rows in silver)
    records = held.group_by(_RECORD).agg(pl.col("received_at").min())
    lost = records.join(bronze.select(_RECORD), on=_RECORD, how="anti")
    return (
        lost.group_by(_PLACE)
        .agg(
            pl.len().cast(pl.Int64).alias("records"),
            pl.col("offset").min().alias("first"),
            pl.col("offset").max().alias("last"),
            pl.col("received_at").min().alias("since"),
            pl.col("received_at").max().alias("until"),
        )
        .sort(_PLACE)
        .collect()
    )


def refuse_orphans(lost: pl.DataFrame) -> None:
    """Raise if there are any, since to put a replay in place would remove them for good."""
    if lost.is_empty():
        return
    where = ", ".join(
        f"{topic}/{partition} offsets {first} to {last}"
        for topic, partition, first, last in lost.select(*_PLACE, "first", "last").iter_rows()
    )
    times = lost.select(pl.col("since").min(), pl.col("until").max())
    since, until = times.select(pl.all().dt.strftime("%Y-%m-%dT%H:%M:%SZ")).row(0)
    raise HeadwaterError(
        f"silver holds rows of {lost['records'].sum():,} records, received"
        f" {since} to {until}, that {MESSAGES.name} has lost ({where}): in place they would be"
        " removed, and could not be made again. Restore bronze, or replay a range without them; to"
        " remove them all the same, add --drop-orphans"
    )
