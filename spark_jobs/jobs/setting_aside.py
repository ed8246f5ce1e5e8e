"""Messages that the proof takes out of silver, with their bytes: duplicates and conflicts."""

from collections.abc import Mapping

import polars as pl

from spark_jobs.jobs.record_bytes import RECORD, Content, Place, bytes_at, contents
from spark_jobs.lake import Lake
from spark_jobs.transforms.copies import ITEM, MESSAGE
from telemetry.tables import CONFLICTS, DUPLICATES

PIECE = 20_000
_FIRST_RECORD = [f"first_{name}" for name in RECORD]


def set_aside(lake: Lake, later: pl.DataFrame) -> None:
    """Append messages to duplicates or conflicts by their bytes, those that are not there yet."""
    for messages in later.unique(ITEM).sort(ITEM).iter_slices(PIECE):
        judged = _with_bytes(lake, _not_there(lake, messages))
        is_same = pl.col("first_message").is_null() | (
            pl.col("first_message") == pl.col("message")
        ).fill_null(value=True)
        for table, rows in (
            (DUPLICATES, judged.filter(is_same)),
            (CONFLICTS, judged.filter(~is_same)),
        ):
            if rows.height:
                lake.append(table, rows.select(table.column_names), None)


def _not_there(lake: Lake, messages: pl.DataFrame) -> pl.DataFrame:
    """Leave out what a run that was killed has set aside."""
    offsets = pl.col("offset").is_between(messages["offset"].min(), messages["offset"].max())
    for table in (DUPLICATES, CONFLICTS):
        there = lake.scan(table).filter(offsets).select(ITEM).collect()
        messages = messages.join(there, on=ITEM, how="anti")
    return messages


def _with_bytes(lake: Lake, messages: pl.DataFrame) -> pl.DataFrame:
    held = contents(lake, _records(messages))
    never = pl.lit(None, pl.Datetime("us", "UTC"))
    reason = pl.lit([], pl.List(pl.Struct(dict.fromkeys(("field", "rule", "value"), pl.String()))))
    return messages.select(
        *MESSAGE,
        *ITEM,
        "product",
        "schema_version",
        "event_time",
        "received_at",
        "kafka_time",
        *_FIRST_RECORD,
        "first_item",
        message=_bytes(held, messages.select(ITEM)),
        first_message=_bytes(held, messages.select(*_FIRST_RECORD, "first_item")),
        reasons=reason,
        replayed_at=never,
        received_date=pl.col("received_at").dt.date(),
    )


def _bytes(held: Mapping[Place, Content], places: pl.DataFrame) -> pl.Series:
    said = [bytes_at(held, row[:3], row[3]) for row in places.iter_rows()]
    return pl.Series(said, dtype=pl.Binary)


def _records(messages: pl.DataFrame) -> pl.DataFrame:
    """Return the coordinates of the records of messages and of their first copies."""
    firsts = messages.select(pl.col(f"first_{name}").alias(name) for name in RECORD)
    return pl.concat([messages.select(RECORD), firsts]).unique()
