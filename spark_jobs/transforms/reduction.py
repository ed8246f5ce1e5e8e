"""What a worker makes of a batch of readings: partials of every kind, packed as Arrow."""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from spark_jobs.reading_rows import Block
from spark_jobs.transforms import delays, sessions, windows
from spark_jobs.transforms.block_minutes import block_minutes
from spark_jobs.transforms.partials import READING_COLUMNS
from spark_jobs.transforms.routes import frame_of

PACKED = "kind string, frame binary"
_PACKED = pa.schema([("kind", pa.string()), ("frame", pa.large_binary())])
KINDS = ("minutes", "sessions", "delays", "highest")
NO_READING = pl.DataFrame(
    schema={
        **dict.fromkeys(READING_COLUMNS, pl.String()),
        "seq": pl.Int64(),
        "event_time": pl.Datetime("us", "UTC"),
        "received_at": pl.Datetime("us", "UTC"),
        "value": pl.Float64(),
        "value_bool": pl.Boolean(),
    }
)


@dataclass(frozen=True, slots=True)
class Reduction:
    """Partials of some readings; those of several parts concatenate."""

    minutes: pl.DataFrame
    sessions: pl.DataFrame
    delays: pl.DataFrame
    highest: pl.DataFrame


Parts = Callable[[str, Sequence[str]], Iterator[Block | pa.Table]]
"""Reads some columns of a file of readings: its blocks, and its other rows some at a time."""


def reduced(
    batches: Iterable[pa.RecordBatch], rules: pl.DataFrame, parts: Parts
) -> Iterator[pa.RecordBatch]:
    """Yield the packed partials of files of readings, each message's delay counted once."""
    nothing = reduction(NO_READING, delays.messages(NO_READING), rules)
    for batch in batches:
        for file in batch.column("file").to_pylist():
            yield from _of_file(parts(file, READING_COLUMNS), rules, nothing)


def _of_file(
    parts: Iterable[Block | pa.Table], rules: pl.DataFrame, nothing: Reduction
) -> Iterator[pa.RecordBatch]:
    seen = pl.Series("seen", dtype=pl.UInt64())
    for part in parts:
        messages = frame_of(part.messages if isinstance(part, Block) else part)
        delayed = delays.messages(messages)
        keys = delayed.select(delays.MESSAGE).hash_rows()
        fresh = delayed.filter(~keys.is_in(seen.implode()))
        seen = pl.concat([seen, keys.alias("seen")])
        found = None
        if isinstance(part, Block) and not _asks_for_sessions(messages, rules):
            minutes = block_minutes(messages, part)
            found = minutes is not None and _of_block(messages, minutes, fresh, nothing)
        yield pack(found or reduction(_rows(part), fresh, rules))


def _asks_for_sessions(messages: pl.DataFrame, rules: pl.DataFrame) -> bool:
    if rules["gap"].null_count() == len(rules):
        return False
    products = messages.select("tenant", "product").unique()
    return not sessions.with_gap(products, rules).is_empty()


def _of_block(
    messages: pl.DataFrame, minutes: pl.DataFrame, delayed: pl.DataFrame, nothing: Reduction
) -> Reduction:
    return Reduction(
        minutes.select(nothing.minutes.columns),
        nothing.sessions,
        delays.sketched(delayed),
        _highest(messages),
    )


def _rows(part: Block | pa.Table) -> pl.DataFrame:
    tables = part.rows() if isinstance(part, Block) else [part]
    return pl.concat([frame_of(rows) for rows in tables]).select(READING_COLUMNS)


def _highest(messages: pl.DataFrame) -> pl.DataFrame:
    return messages.group_by("tenant", "product").agg(highest=pl.col("received_at").max())


def reduction(readings: pl.DataFrame, delayed: pl.DataFrame, rules: pl.DataFrame) -> Reduction:
    """Return the partials of readings, with the delays of their messages."""
    return Reduction(
        minutes=windows.minutes(readings),
        sessions=sessions.of_rows(readings, rules),
        delays=delays.sketched(delayed),
        highest=_highest(readings),
    )


def pack(parts: Reduction) -> pa.RecordBatch:
    """Pack partials into rows of kind and Arrow bytes, which Spark carries untouched."""
    frames = [getattr(parts, kind).write_ipc(None).getvalue() for kind in KINDS]
    return pa.record_batch([pa.array(KINDS), pa.array(frames, pa.binary())], names=_PACKED.names)


def unpacked(rows: pa.Table, rules: pl.DataFrame) -> Reduction:
    """Put the packed partials of all tasks together."""
    nothing = reduction(NO_READING, delays.messages(NO_READING), rules)
    frames: dict[str, list[pl.DataFrame]] = {kind: [getattr(nothing, kind)] for kind in KINDS}
    for kind, packed in zip(*(rows[name].to_pylist() for name in _PACKED.names), strict=True):
        frames[kind].append(pl.read_ipc(io.BytesIO(packed)))
    return Reduction(**{kind: pl.concat(parts) for kind, parts in frames.items()})
