"""What a worker makes of a batch of readings: partials of every kind, packed as Arrow."""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from spark_jobs.transforms import delays, sessions, windows
from spark_jobs.transforms.partials import READING_COLUMNS

PACKED = pa.schema([("kind", pa.string()), ("frame", pa.binary())])
NOTHING = PACKED.empty_table()
"""What no reading is reduced to."""
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


def reduced(frames: Iterable[pl.DataFrame], rules: pl.DataFrame) -> Iterator[pa.RecordBatch]:
    """Yield the packed partials of a task's readings, each message's delay counted once."""
    seen = pl.Series("seen", dtype=pl.UInt64())
    for readings in frames:
        delayed = delays.messages(readings)
        keys = delayed.select(delays.MESSAGE).hash_rows()
        fresh = delayed.filter(~keys.is_in(seen.implode()))
        seen = pl.concat([seen, keys.alias("seen")])
        yield pack(reduction(readings, fresh, rules))


def reduction(readings: pl.DataFrame, delayed: pl.DataFrame, rules: pl.DataFrame) -> Reduction:
    """Return the partials of readings, with the delays of their messages."""
    return Reduction(
        minutes=windows.minutes(readings),
        sessions=sessions.of_rows(readings, rules),
        delays=delays.sketched(delayed),
        highest=readings.group_by("tenant", "product").agg(highest=pl.col("received_at").max()),
    )


def pack(parts: Reduction) -> pa.RecordBatch:
    """Pack partials into rows of kind and Arrow bytes, which Spark carries untouched.

    The JVM of the driver holds several copies of all that a batch packs, so it is compressed.
    """
    frames = [getattr(parts, kind).write_ipc(None, compression="lz4").getvalue() for kind in KINDS]
    return pa.record_batch([pa.array(KINDS), pa.array(frames, pa.binary())], schema=PACKED)


def unpacked(rows: pa.Table, rules: pl.DataFrame) -> Reduction:
    """Put the packed partials of all tasks together."""
    nothing = reduction(NO_READING, delays.messages(NO_READING), rules)
    frames: dict[str, list[pl.DataFrame]] = {kind: [getattr(nothing, kind)] for kind in KINDS}
    for kind, packed in zip(*(rows[name].to_pylist() for name in PACKED.names), strict=True):
        frames[kind].append(pl.read_ipc(io.BytesIO(packed)))
    return Reduction(**{kind: pl.concat(parts) for kind, parts in frames.items()})
