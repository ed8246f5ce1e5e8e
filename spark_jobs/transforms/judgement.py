"""What workers hand over: a table of judged messages, and one of their readings."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from spark_jobs.reading_rows import WORD
from spark_jobs.schema import REASON, TIMESTAMP

_COMPRESSED = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
"""The JVM copies a pack several times: smaller ones cost less than making them small."""
_BY_ONE = pa.ipc.IpcReadOptions(use_threads=False)
"""Threads take half as much again to unpack as one does."""
TAGS = pa.map_(pa.string(), pa.string())
HEADERS = pa.map_(WORD, pa.binary())
OF_RECORD = (
    pa.field("topic", WORD),
    pa.field("partition", pa.int32()),
    pa.field("offset", pa.int64()),
    pa.field("kafka_time", TIMESTAMP),
    pa.field("kafka_key", pa.binary()),
    pa.field("value", pa.binary()),
    pa.field("headers", HEADERS),
)
OF_MESSAGE = (
    pa.field("item", pa.int32()),
    pa.field("items", pa.int32()),
    pa.field("message", pa.binary()),
    pa.field("tenant", WORD),
    pa.field("device_full", WORD),
    pa.field("device", WORD),
    pa.field("product", WORD),
    pa.field("boot", WORD),
    pa.field("seq", pa.int64()),
    pa.field("device_time", TIMESTAMP),
    pa.field("event_time", TIMESTAMP),
    pa.field("received_at", TIMESTAMP),
    pa.field("clock", WORD),
    pa.field("is_late", pa.bool_()),
    pa.field("schema_version", pa.int32()),
    pa.field("zone", WORD),
    pa.field("customer", WORD),
    pa.field("lat", pa.float64()),
    pa.field("lng", pa.float64()),
    pa.field("firmware", WORD),
    pa.field("retention_class", WORD),
    pa.field("digest", pa.int64()),
    pa.field("is_staged", pa.bool_()),
)
MESSAGES = pa.schema(
    [*OF_RECORD, *OF_MESSAGE, pa.field("tags", TAGS), pa.field("reasons", pa.list_(REASON))]
)
"""A row a message. `message` is null where it is the record's whole value; key, value and headers
stand on the record's first message alone. `digest` is of the message's bytes, 0 where it broke a
rule. Where it is staged, the record is in a file of bronze already, and key, value and headers are
null."""
READINGS = pa.schema(
    [
        pa.field("place", pa.int32()),
        pa.field("metric", WORD),
        pa.field("value", pa.float64()),
        pa.field("value_text", pa.string()),
        pa.field("value_bool", pa.bool_()),
        pa.field("unit", WORD),
        pa.field("quality", WORD),
    ]
)
"""A row a reading of accepted messages; `place` is the row of its message."""


class Block(NamedTuple):
    """Readings of messages that follow one another: a column a metric, null where it is not said.

    The unit is in the field's metadata; the quality of all is ok.
    """

    first: int
    columns: pa.Table


class Judgement(NamedTuple):
    """Messages, and the readings of those that broke no rule: in blocks, and row by row.

    `files` are those of staged records, as JSON.
    """

    messages: pa.Table
    readings: pa.Table
    blocks: tuple[Block, ...] = ()
    files: tuple[str, ...] = ()


def together(parts: Sequence[Judgement]) -> Judgement:
    """Return many as one; places follow."""
    if len(parts) == 1:
        return parts[0]
    first, readings, blocks = 0, [], []
    for part in parts:
        readings.append(_moved(part.readings, first))
        blocks += [block._replace(first=block.first + first) for block in part.blocks]
        first += part.messages.num_rows
    return Judgement(
        pa.concat_tables([MESSAGES.empty_table(), *(part.messages for part in parts)]),
        pa.concat_tables([READINGS.empty_table(), *readings]),
        tuple(blocks),
        tuple(file for part in parts for file in part.files),
    )


def _moved(readings: pa.Table, by: int) -> pa.Table:
    if not by or not readings.num_rows:
        return readings
    places = pa.chunked_array(
        [pa.array(chunk.to_numpy() + by, pa.int32()) for chunk in readings["place"].chunks],
        pa.int32(),
    )
    return readings.set_column(0, READINGS.field("place"), places)


def bodies(messages: pa.ChunkedArray, values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the bytes of messages: their own, or their record's; copied only where both are."""
    if messages.null_count == len(messages):
        return values
    return pc.coalesce(messages, values) if messages.null_count else messages


def packed(judgement: Judgement) -> pa.RecordBatch:
    """Pack it into binary values, which the JVM passes on without looking into them.

    It has at most one block, which is of all its messages.
    """
    columns = [_bytes(block.columns) for block in judgement.blocks]
    return pa.RecordBatch.from_arrays(
        [
            _bytes(judgement.messages),
            _bytes(judgement.readings),
            columns[0] if columns else pa.array([b""], pa.binary()),
            pa.array([json.dumps(judgement.files).encode()], pa.binary()),
        ],
        schema=PACKS,
    )


PACKS = pa.schema([(name, pa.binary()) for name in ("messages", "readings", "columns", "files")])
PACK = ", ".join(f"{name} binary" for name in PACKS.names)
"""The columns of a pack, for Spark."""


def unpacked(packs: pa.Table) -> Judgement:
    """Return what all packs hold."""
    columns = [packs.column(name).cast(pa.large_binary()) for name in packs.column_names]
    return as_one(_part(*row) for row in zip(*columns, strict=True))


def _part(*row: pa.LargeBinaryScalar) -> Judgement:
    *two, block, files = row
    blocks = (Block(0, _table(block)),) if len(block.as_buffer()) else ()
    messages, readings = map(_table, two)
    return Judgement(messages, readings, blocks, tuple(json.loads(files.as_py())))


def as_one(parts: Iterable[Judgement]) -> Judgement:
    """Return many as one, a chunk each: nothing is copied.

    Messages with the same metrics come to follow one another, and are one block.
    """
    found = together(sorted(parts, key=_kind))
    messages, readings = (each.unify_dictionaries() for each in (found.messages, found.readings))
    return Judgement(messages, readings, tuple(_joined(found.blocks)), found.files)


def _kind(part: Judgement) -> bytes:
    blocks = part.blocks
    return bytes(blocks[0].columns.schema.serialize()) if blocks else b""


def _joined(blocks: Iterable[Block]) -> Iterator[Block]:
    for _, alike in groupby(blocks, key=lambda block: bytes(block.columns.schema.serialize())):
        first, *others = alike
        tables = [first.columns, *(block.columns for block in others)]
        yield Block(first.first, pa.concat_tables(tables))


def _bytes(table: pa.Table) -> pa.Array:
    """Return an array of one value, which is not copied once more."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=_COMPRESSED) as writer:
        writer.write_table(table)
    content = sink.getvalue()
    ends = pa.array([0, content.size], pa.int32()).buffers()[1]
    return pa.Array.from_buffers(pa.binary(), 1, [None, ends, content])


def _table(pack: pa.LargeBinaryScalar) -> pa.Table:
    return pa.ipc.open_stream(pack.as_buffer(), options=_BY_ONE).read_all()
