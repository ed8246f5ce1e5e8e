"""The ledger against bronze and silver: which message is wrong, and in what way.

Messages are matched by device and bytes. Bytes that were sent n times (a duplicate is) are one
identity with n expected outcomes, so it does not matter which copy came first.
"""

from dataclasses import dataclass

import polars as pl

from simulator.scoring.lake import COORDINATES
from simulator.scoring.ledgers import IDENTITY, OUTCOMES, Ledger
from simulator.scoring.storings import with_storings

KEY = ("who", "boot", "seq")
PLACE_KEY = "k:"
"""So begins the boot of what has neither seq nor time: each copy of it is a message of its own."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The ledger, bronze's messages, and what silver's tables hold of them."""

    ledger: Ledger
    items: pl.DataFrame
    found: pl.DataFrame


def placed(evidence: Evidence) -> pl.DataFrame:
    """Return bronze's messages with their outcomes, one row a message and table that holds it."""
    is_kept = pl.col("outcome").is_in(["silver", "late"])
    found = (
        evidence.found.with_columns(
            (is_kept & pl.col("boot").cat.starts_with(PLACE_KEY)).alias("is_keyless")
        )
        .drop("who", "boot", "seq", "received_at")
        .rename({"fingerprint": "found_fingerprint"})
    )
    items = evidence.items.with_row_index("copy")
    joined = items.join(found, on=COORDINATES, how="left", maintain_order="left")
    is_first = pl.col("copy").ne_missing(pl.col("copy").shift())
    return joined.with_columns(is_first.alias("is_first")).drop("copy")


def identities(evidence: Evidence, places: pl.DataFrame) -> pl.DataFrame:
    """Return sent, acked and found per identity, with expected and found counts by outcome.

    `stored_twice` are the copies that the gateway made, `keyless` those kept without a key.
    """
    sent = _expected(evidence.ledger)
    there = places.group_by(IDENTITY).agg(
        pl.col("is_first").sum().alias("in_bronze"),
        (pl.col("is_first") & pl.col("outcome").is_not_null()).sum().alias("found"),
        *((pl.col("outcome") == outcome).sum().alias(f"found_{outcome}") for outcome in OUTCOMES),
        pl.col("is_keyless").sum().alias("keyless"),
        pl.col("rules").drop_nulls().first(),
        pl.col("received_at").min(),
        *(pl.col(name).first() for name in COORDINATES),
    )
    counts = ["in_bronze", "found", "keyless", *(f"found_{outcome}" for outcome in OUTCOMES)]
    joined = sent.join(there, on=IDENTITY, how="left")
    waited = (pl.col("received_at") - pl.col("sent_at")).fill_null(0)
    counted = joined.with_columns(pl.col(counts).cast(pl.Int64).fill_null(0), waited=waited)
    return with_storings(counted.drop("received_at"), evidence.items)


def _expected(ledger: Ledger) -> pl.DataFrame:
    messages = ledger.sent.group_by(IDENTITY).agg(
        pl.len().cast(pl.Int64).alias("sent"),
        *((pl.col("expect") == outcome).sum().alias(f"want_{outcome}") for outcome in OUTCOMES),
        pl.col("boot", "seq", "sent_at", "event_time").first(),
        pl.col("reason").drop_nulls().first(),
    )
    of_bytes = messages.group_by("h1", "h2").agg(pl.col("sent").sum().alias("sent_in_all"))
    unacked = (pl.col("sent_in_all") - pl.col("acked").fill_null(0)).clip(0)
    return (
        messages.join(of_bytes, on=("h1", "h2"))
        .join(ledger.acked, on=("h1", "h2"), how="left")
        .join(ledger.again, on=IDENTITY, how="left")
        .with_columns(
            (pl.col("sent") - unacked).clip(0).alias("acked"), pl.col("again").fill_null(0)
        )
        .drop("sent_in_all")
    )
