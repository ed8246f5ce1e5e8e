"""What the gateway itself stored twice: one arrival, in Kafka at several offsets.

A record that Kafka acknowledged too late is on the gateway's disk as well, and is handed on from
there; so is a segment of the disk once more, if handing it on was broken off. Both copies have the
headers of the one arrival. What a device sends again arrives again, at another time.
"""

import polars as pl

from simulator.scoring.lake import COORDINATES
from simulator.scoring.ledgers import IDENTITY
from telemetry.accounts import PAGE_HEADER

RECEIVED_HEADER = "received_at"
"""As the gateway stamped it: the column of that name is Kafka's time for what waited long."""


def arrival() -> pl.Expr:
    """Return what names a record's arrival at a gateway; null: it did not come through one."""
    page, received_at = (_header(name) for name in (PAGE_HEADER, RECEIVED_HEADER))
    is_stamped = page.is_not_null() & received_at.is_not_null()
    return pl.when(is_stamped).then(page.hash(1) + received_at.hash(2) * 3).alias("arrival")


def _header(name: str) -> pl.Expr:
    return pl.col("headers").map.get(name)


def with_storings(messages: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Add `stored_twice`: how many copies in bronze, of those never sent, the gateway made."""
    over = messages.filter(pl.col("in_bronze") > pl.col("sent") + pl.col("again"))
    # A row of bronze that is there twice is one storing: the gateway has no part in the other.
    copies = items.select(*IDENTITY, *COORDINATES, "arrival").join(
        over.select(*IDENTITY, "sent", "again"), on=IDENTITY
    )
    copies = copies.unique([*IDENTITY, *COORDINATES])
    stamped = pl.col("arrival").drop_nulls()
    of_arrivals = stamped.len().cast(pl.Int64) - stamped.n_unique()
    beyond = pl.len().cast(pl.Int64) - pl.col("sent").first() - pl.col("again").first()
    made = copies.group_by(IDENTITY).agg(
        pl.min_horizontal(of_arrivals, beyond).clip(0).alias("stored_twice")
    )
    whole = messages.join(made, on=IDENTITY, how="left", maintain_order="left")
    return whole.with_columns(pl.col("stored_twice").fill_null(0))
