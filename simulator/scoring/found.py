"""What silver's five tables hold, message by message, by the coordinates in bronze."""

from datetime import datetime

import polars as pl

from simulator.scoring.bodies import digest, halves
from simulator.scoring.lake import COORDINATES, LakeFiles
from simulator.scoring.ledgers import OUTCOME, who
from simulator.scoring.readings import fingerprint, kind_of_row
from telemetry.tables import CONFLICTS, DUPLICATES, LATE, READINGS, REJECTED

ASIDE = {"rejected": REJECTED, "duplicate": DUPLICATES, "conflict": CONFLICTS}
KEPT = {"silver": READINGS, "late": LATE}

_PLACE = (pl.col("topic").cast(pl.Categorical), "partition", "offset", "item")
_KEY = (who("tenant", "device_full"), pl.col("boot").cast(pl.Categorical), "seq")
_RECEIVED = pl.col("received_at").dt.epoch("us")
_VALUES = ("metric", "value", "value_text", "value_bool", "quality")
_NO_PRINT = (
    pl.lit(None, dtype=pl.UInt64).alias("fingerprint"),
    pl.lit(None, dtype=pl.UInt32).alias("rows"),
    pl.lit(None, dtype=pl.Int64).alias("event_time"),
)
_NO_DIGEST = (pl.lit(None, dtype=pl.UInt64).alias("m1"), pl.lit(None, dtype=pl.UInt64).alias("m2"))


def found_messages(
    lake: LakeFiles, whos: pl.DataFrame, items: pl.DataFrame, since: datetime
) -> pl.DataFrame:
    """Return a row a message and table: coordinates, key, outcome, rules, digest, fingerprint.

    Taken are the messages of the ledger's devices, and whatever stands at bronze's coordinates.
    """
    places = items.select(COORDINATES)
    parts = [_kept(lake, outcome, whos, since) for outcome in KEPT]
    parts += [_aside(lake, outcome, since, whos, places) for outcome in ASIDE]
    return pl.concat(parts)


def kept_rows(lake: LakeFiles, outcome: str, since: datetime) -> pl.LazyFrame:
    """Return the rows of silver.readings or silver.late that were received from `since` on."""
    columns = ["tenant", "device_full", "boot", "seq", "received_at", *COORDINATES, *_VALUES]
    message = ["message"] if outcome == "late" else []
    rows = lake.scan(KEPT[outcome]).filter(pl.col("received_at") >= since)
    return rows.select(*columns, "event_time_us", *message)


def _kept(lake: LakeFiles, outcome: str, whos: pl.DataFrame, since: datetime) -> pl.DataFrame:
    scan = kept_rows(lake, outcome, since)
    parts = [_reduced(chunk, whos) for chunk in lake.chunks(scan)]
    whole = pl.concat(parts) if parts else _reduced(scan.clear().collect(), whos)
    return _labelled(_merged(whole), outcome)


def _reduced(chunk: pl.DataFrame, whos: pl.DataFrame) -> pl.DataFrame:
    rows = chunk.select(
        *_PLACE,
        *_KEY,
        *_VALUES,
        kind_of_row(),
        _RECEIVED,
        pl.col("event_time_us").alias("event_time"),
        *(["message"] if "message" in chunk.columns else []),
    ).join(whos, on="who", how="semi")
    aggregates = [
        pl.col("who", "boot", "seq", "received_at", "event_time").first(),
        (pl.col("event_time").min() != pl.col("event_time").max()).alias("is_torn"),
        fingerprint().sum(),
        pl.len().alias("rows"),
        pl.col("message").first() if "message" in rows.columns else pl.lit(b"").alias("message"),
    ]
    messages = rows.group_by(COORDINATES).agg(aggregates)
    if "message" not in rows.columns:
        return messages.drop("message").with_columns(*_NO_DIGEST)
    return _with_digest(messages)


def _with_digest(messages: pl.DataFrame) -> pl.DataFrame:
    digests = b"".join(digest(body or b"") for body in messages["message"])
    numbers = halves(digests)
    return messages.drop("message").with_columns(m1=numbers["h1"], m2=numbers["h2"])


def _merged(parts: pl.DataFrame) -> pl.DataFrame:
    """Merge messages whose rows came in two chunks."""
    return parts.group_by(COORDINATES).agg(
        pl.col("who", "boot", "seq", "received_at", "event_time", "m1", "m2").first(),
        (
            pl.col("is_torn").any() | (pl.col("event_time").min() != pl.col("event_time").max())
        ).alias("is_torn"),
        pl.col("fingerprint").sum(),
        pl.col("rows").sum(),
    )


def _labelled(messages: pl.DataFrame, outcome: str) -> pl.DataFrame:
    return messages.select(
        *COORDINATES,
        "who",
        "boot",
        "seq",
        "received_at",
        "event_time",
        "is_torn",
        "fingerprint",
        pl.col("rows").cast(pl.UInt32),
        "m1",
        "m2",
        pl.lit(outcome, dtype=OUTCOME).alias("outcome"),
        pl.lit(None, dtype=pl.Categorical).alias("rules"),
    )


def _aside(
    lake: LakeFiles, outcome: str, since: datetime, whos: pl.DataFrame, places: pl.DataFrame
) -> pl.DataFrame:
    columns = ["tenant", "device_full", "boot", "seq", "received_at", *COORDINATES]
    rows = lake.scan(ASIDE[outcome]).filter(pl.col("received_at") >= since)
    scan = rows.select(*columns, "reasons", "message")
    parts = [_aside_rows(chunk, outcome, whos, places) for chunk in lake.chunks(scan)]
    return pl.concat(parts) if parts else _aside_rows(scan.clear().collect(), outcome, whos, places)


def _aside_rows(
    chunk: pl.DataFrame, outcome: str, whos: pl.DataFrame, places: pl.DataFrame
) -> pl.DataFrame:
    rules = pl.col("reasons").list.eval(pl.element().struct.field("rule")).list.join("|")
    rows = chunk.select(*_PLACE, *_KEY, _RECEIVED, rules.alias("rules"), "message")
    ours = rows.join(whos, on="who", how="semi")
    others = rows.join(whos, on="who", how="anti").join(places, on=COORDINATES, how="semi")
    messages = _with_digest(pl.concat([ours, others]).with_columns(*_NO_PRINT, is_torn=False))
    return _labelled(messages, outcome).with_columns(
        messages["rules"].cast(pl.Categorical).alias("rules")
    )
