"""Judged messages to the rows of bronze and silver."""

from collections.abc import Mapping
from typing import NamedTuple

import polars as pl

from spark_jobs.dedup.decision import Verdict
from spark_jobs.dedup.index import Key
from spark_jobs.dedup.recent import Copies, Copy
from spark_jobs.transforms.first_use import ORDER
from telemetry.tables import CONFLICTS, DUPLICATES, LATE, MESSAGES, READINGS, REJECTED, Table

COORDINATES = ("topic", "partition", "offset", "item")
_COPY = (*COORDINATES, "digest")
_KEY = ("tenant", "device_full", "boot", "seq")
_VERDICTS = {
    "row": pl.UInt32,
    "kind": pl.String,
    "first_topic": pl.String,
    "first_partition": pl.Int32,
    "first_offset": pl.Int64,
    "first_item": pl.Int32,
}


class Candidates(NamedTuple):
    """Accepted messages in the order in which the first copy wins."""

    frame: pl.DataFrame
    keys: list[Key]

    def copy_at(self, place: int) -> Copy:
        """Return where one is."""
        topic, partition, offset, item, digest = self.frame.select(_COPY).row(place)
        return Copy(topic, partition, offset, item, digest)

    def firsts(self, verdicts: Mapping[int, Verdict]) -> tuple[list[Key], Copies]:
        """Return the keys, and where they are, of those that are the first of their key."""
        frame, keys = self.frame, self.keys
        if verdicts:
            keys = [key for place, key in enumerate(keys) if place not in verdicts]
            frame = frame.filter(~pl.Series(range(len(frame))).is_in(list(verdicts)))
        numbers = {name: frame[name].to_numpy() for name in _COPY[1:]}
        return keys, Copies(frame["topic"].to_list(), **numbers)


def candidates(judged: pl.DataFrame) -> Candidates:
    """Return the messages that broke no rule; `judged` has a column `row`."""
    accepted = judged.lazy().filter(pl.col("reasons").list.len() == 0)
    ordered = accepted.select("row", "kafka_time", *_KEY, *_COPY).sort(ORDER).collect()
    return Candidates(ordered, ordered.select(_KEY).rows())


def with_verdicts(
    judged: pl.DataFrame, found: Candidates, verdicts: Mapping[int, Verdict]
) -> pl.DataFrame:
    """Add `kind` (null for a rejected message) and the first copy's coordinates."""
    numbers = found.frame["row"]
    rows = [(numbers[place], kind, *first[:4]) for place, (kind, first) in verdicts.items()]
    joined = judged.join(pl.DataFrame(rows, _VERDICTS, orient="row"), on="row", how="left")
    is_first = pl.col("kind").is_null() & (pl.col("reasons").list.len() == 0)
    return joined.with_columns(kind=pl.when(is_first).then(pl.lit("first")).otherwise("kind"))


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
