"""Judged messages to the rows of bronze and silver."""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from spark_jobs.dedup.decision import Candidate, Verdict
from spark_jobs.transforms.first_use import ORDER
from telemetry.tables import CONFLICTS, DUPLICATES, LATE, MESSAGES, READINGS, REJECTED, Table

COORDINATES = ("topic", "partition", "offset", "item")
_FIRST = tuple(f"first_{name}" for name in COORDINATES)
_CANDIDATE = ("tenant", "device_full", "boot", "seq", *COORDINATES, "digest")
_VERDICTS = {
    "row": pl.UInt32,
    "kind": pl.String,
    "first_topic": pl.String,
    "first_partition": pl.Int32,
    "first_offset": pl.Int64,
    "first_item": pl.Int32,
}


class Candidates(NamedTuple):
    """Accepted messages in the order in which the first copy wins, and their rows."""

    rows: pl.Series
    messages: list[Candidate]


def candidates(judged: pl.DataFrame) -> Candidates:
    """Return the messages that broke no rule; `judged` has a column `row`."""
    accepted = judged.lazy().filter(pl.col("reasons").list.len() == 0)
    ordered = accepted.select("row", "kafka_time", *_CANDIDATE).sort(ORDER).collect()
    messages = [Candidate(*row) for row in ordered.select(_CANDIDATE).iter_rows()]
    return Candidates(ordered["row"], messages)


def with_verdicts(
    judged: pl.DataFrame, found: Candidates, verdicts: Sequence[Verdict]
) -> pl.DataFrame:
    """Add `kind` (null for a rejected message) and the first copy's coordinates."""
    rows = [
        (row, verdict.kind, *(verdict.first[:4] if verdict.first else (None,) * 4))
        for row, verdict in zip(found.rows, verdicts, strict=True)
    ]
    return judged.join(pl.DataFrame(rows, _VERDICTS, orient="row"), on="row", how="left")


def bronze(judged: pl.DataFrame) -> pl.DataFrame:
    """Return a row a record."""
    records = judged.filter(pl.col("item") == 0)
    return _rows(records.with_columns(received_date=pl.col("received_at").dt.date()), MESSAGES)


def rejected(judged: pl.DataFrame) -> pl.DataFrame:
    """Return the messages that broke a rule."""
    return _aside(judged.filter(pl.col("kind").is_null()), REJECTED)


def duplicates(judged: pl.DataFrame) -> pl.DataFrame:
    """Return further copies of what silver holds."""
    return _aside(judged.filter(pl.col("kind") == "duplicate"), DUPLICATES)


def conflicts(judged: pl.DataFrame) -> pl.DataFrame:
    """Return messages with another one's key and other content."""
    return _aside(judged.filter(pl.col("kind") == "conflict"), CONFLICTS)


def _aside(messages: pl.DataFrame, table: Table) -> pl.DataFrame:
    return _rows(
        messages.with_columns(
            message=_MESSAGE,
            replayed_at=_NEVER,
            received_date=pl.col("received_at").dt.date(),
        ),
        table,
    )


def readings(judged: pl.DataFrame) -> pl.DataFrame:
    """Return a row a reading of the messages that are the first of their key and not late."""
    in_time = judged.filter((pl.col("kind") == "first") & ~pl.col("is_late"))
    return _rows(_exploded(in_time), READINGS)


def late(judged: pl.DataFrame) -> pl.DataFrame:
    """Return a row a reading of late messages, with the message's bytes."""
    is_late = judged.filter((pl.col("kind") == "first") & pl.col("is_late"))
    delay = (pl.col("received_at") - pl.col("event_time")).dt.total_microseconds() / 1e6
    reason = pl.struct(
        field=pl.lit("ts"), rule=pl.lit("late"), value=pl.format("{} s late", delay.round(3))
    )
    said = is_late.with_columns(message=_MESSAGE, reasons=pl.concat_list(reason))
    return _rows(_exploded(said).with_columns(replayed_at=_NEVER), LATE)


def _exploded(messages: pl.DataFrame) -> pl.DataFrame:
    of_message = messages.drop("value", "kafka_key", "headers").with_columns(
        event_time_us=pl.col("event_time").dt.timestamp("us"),
        event_date=pl.col("event_time").dt.date(),
    )
    return of_message.explode("readings").unnest("readings")


def _rows(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    return frame.select(table.column_names)


_MESSAGE = pl.coalesce("message", "value")
_NEVER = pl.lit(None, pl.Datetime("us", "UTC"))
