"""What workers hand over: a table of judged messages, and one of their readings."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pyarrow as pa

from spark_jobs.schema import REASON, TIMESTAMP

WORD = pa.dictionary(pa.int32(), pa.string())
"""Text of which many rows have the same."""
TAGS = pa.map_(pa.string(), pa.string())
HEADERS = pa.map_(pa.string(), pa.binary())
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
)
MESSAGES = pa.schema(
    [*OF_RECORD, *OF_MESSAGE, pa.field("tags", TAGS), pa.field("reasons", pa.list_(REASON))]
)
"""A row a message. `message` is null where it is the record's whole value; key, value and headers
stand on the record's first message alone."""
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


class Judgement(NamedTuple):
    """Messages, and the readings of those that broke no rule."""

    messages: pa.Table
    readings: pa.Table


def together(parts: Sequence[Judgement]) -> Judgement:
    """Return many as one; places follow."""
    if len(parts) == 1:
        return parts[0]
    first, readings = 0, []
    for part in parts:
        readings.append(_moved(part.readings, first))
        first += part.messages.num_rows
    return Judgement(
        pa.concat_tables([MESSAGES.empty_table(), *(part.messages for part in parts)]),
        pa.concat_tables([READINGS.empty_table(), *readings]),
    )


def _moved(readings: pa.Table, by: int) -> pa.Table:
    places = pa.chunked_array(
        [pa.array(chunk.to_numpy() + by, pa.int32()) for chunk in readings["place"].chunks],
        pa.int32(),
    )
    return readings.set_column(0, READINGS.field("place"), places)


def packed(judgement: Judgement) -> pa.RecordBatch:
    """Pack it into two binary values, which the JVM passes on without looking into them."""
    return pa.RecordBatch.from_pydict(
        {
            "messages": pa.array([_bytes(judgement.messages)], pa.binary()),
            "readings": pa.array([_bytes(judgement.readings)], pa.binary()),
        }
    )


PACK = "messages binary, readings binary"
"""The columns of a pack, for Spark."""


def unpacked(packs: pa.Table) -> Judgement:
    """Return what all packs hold."""
    columns = [packs.column(name).cast(pa.large_binary()) for name in ("messages", "readings")]
    pairs: Iterable[tuple[pa.LargeBinaryScalar, ...]] = zip(*columns, strict=True)
    return as_one(Judgement(*(_table(pack) for pack in pair)) for pair in pairs)


def as_one(parts: Iterable[Judgement]) -> Judgement:
    """Return many as one, in one chunk: rows are then taken without a look at other chunks."""
    found = together([*parts])
    return Judgement(*(table.unify_dictionaries().combine_chunks() for table in found))


def _bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def _table(pack: pa.LargeBinaryScalar) -> pa.Table:
    return pa.ipc.open_stream(pack.as_buffer()).read_all()
