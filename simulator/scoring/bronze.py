"""What bronze holds of a ledger's devices, message by message, decoded anew."""

import gc
from datetime import datetime

import polars as pl

from simulator.scoring.bodies import Item, Sentinels, digest, halves, read_items
from simulator.scoring.lake import LakeFiles
from simulator.scoring.ledgers import who
from simulator.scoring.readings import Collected
from simulator.scoring.storings import arrival
from telemetry.tables import MESSAGES

SentinelsOf = dict[str, Sentinels]
"""Sentinels by tenant and product, `tenant/product`."""

_READ = ("topic", "partition", "offset", "kafka_key", "value", "received_at", "tenant")
_NO_SEQ = 2**63


def bronze_items(
    lake: LakeFiles, whos: pl.DataFrame, since: datetime, sentinels: SentinelsOf
) -> pl.DataFrame:
    """Return one row a message received from `since` on, with a fingerprint of its readings.

    `arrival` is the same of copies that a gateway made of one record.
    """
    scan = (
        lake.scan(MESSAGES)
        .filter(
            pl.col("received_date") >= since.date(),
            pl.col("received_at") >= since,
        )
        .select(*_READ, arrival())
    )
    parts = [_items(chunk, whos, sentinels) for chunk in lake.chunks(scan)]
    return pl.concat(parts) if parts else _items(scan.clear().collect(), whos, sentinels)


def _items(chunk: pl.DataFrame, whos: pl.DataFrame, sentinels: SentinelsOf) -> pl.DataFrame:
    key = pl.col("kafka_key").cast(pl.String, strict=False)
    records = (
        chunk.with_columns(key.alias("device"))
        .with_columns(who("tenant", "device"))
        .join(whos, on="who", how="semi")
        .with_columns(pl.col("who").cast(pl.String).str.split(".").list.first().alias("product"))
        .with_row_index("record")
    )
    gc.disable()  # There is no cycle among the thousands of live tuples that it would go through.
    try:
        items, collected = _decode(records)
    finally:
        gc.enable()
    return (
        items.join(collected.fingerprints(sentinels), on="row", how="left")
        .join(
            records.select(
                "record",
                "who",
                pl.col("topic").cast(pl.Categorical),
                "partition",
                "offset",
                pl.col("received_at").dt.epoch("us"),
                "arrival",
            ),
            on="record",
        )
        .with_columns(pl.col("fingerprint", "readings").fill_null(0))
        .drop("row", "record")
    )


def _decode(records: pl.DataFrame) -> tuple[pl.DataFrame, Collected]:
    collected = Collected()
    rows: list[tuple[int, int, str | None, int | None]] = []
    digests = bytearray()
    for record, (product, value) in enumerate(
        zip(records["product"], records["value"], strict=True)
    ):
        for place, item in enumerate(read_items(value or b"")):
            collected.add(len(rows), product, item.fields)
            rows.append((record, place, *_key(item)))
            digests += digest(item.body)
    return _frame(rows, bytes(digests)), collected


def _key(item: Item) -> tuple[str | None, int | None]:
    fields = item.fields
    if fields is None:
        return None, None
    seq, boot = fields.get("seq"), fields.get("boot") or ""
    if isinstance(seq, int) and isinstance(boot, str) and 0 <= seq < _NO_SEQ:
        return boot, seq
    return None, None


def _frame(rows: list[tuple[int, int, str | None, int | None]], digests: bytes) -> pl.DataFrame:
    schema = {
        "record": pl.UInt32,
        "item": pl.Int32,
        "boot": pl.Categorical,
        "seq": pl.Int64,
    }
    items = pl.DataFrame(rows, schema=schema, orient="row").with_row_index("row")
    return items.with_columns(**halves(digests))
