"""Records to judged messages, an Arrow batch at a time, as Spark's workers run it."""

import gc
import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import accumulate, pairwise

import polars as pl
import pyarrow as pa

from spark_jobs.schema import REASON, TIMESTAMP
from telemetry.devices import split_full_name
from telemetry.judge import Judged, judge
from telemetry.message import Reason
from telemetry.records import Record
from telemetry.registry import Registry
from telemetry.schema_check import Reading

READING = pa.struct(
    [
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("value_text", pa.string()),
        ("value_bool", pa.bool_()),
        ("unit", pa.string()),
        ("quality", pa.string()),
    ]
)
TAGS = pa.map_(pa.string(), pa.string())
HEADERS = pa.map_(pa.string(), pa.binary())
_OF_MESSAGE = (
    pa.field("item", pa.int32()),
    pa.field("items", pa.int32()),
    pa.field("message", pa.binary()),
    pa.field("tenant", pa.string()),
    pa.field("device_full", pa.string()),
    pa.field("device", pa.string()),
    pa.field("product", pa.string()),
    pa.field("boot", pa.string()),
    pa.field("seq", pa.int64()),
    pa.field("device_time", TIMESTAMP),
    pa.field("event_time", TIMESTAMP),
    pa.field("received_at", TIMESTAMP),
    pa.field("clock", pa.string()),
    pa.field("is_late", pa.bool_()),
    pa.field("schema_version", pa.int32()),
    pa.field("zone", pa.string()),
    pa.field("customer", pa.string()),
    pa.field("lat", pa.float64()),
    pa.field("lng", pa.float64()),
    pa.field("firmware", pa.string()),
    pa.field("retention_class", pa.string()),
    pa.field("digest", pa.int64()),
)
_OF_RECORD = (
    pa.field("topic", pa.string()),
    pa.field("partition", pa.int32()),
    pa.field("offset", pa.int64()),
    pa.field("kafka_time", TIMESTAMP),
    pa.field("kafka_key", pa.binary()),
    pa.field("value", pa.binary()),
    pa.field("headers", HEADERS),
)
JUDGED = pa.schema(
    [
        *_OF_RECORD,
        *_OF_MESSAGE,
        pa.field("tags", TAGS),
        pa.field("reasons", pa.list_(REASON)),
        pa.field("readings", pa.list_(READING)),
    ]
)
"""A row a message. `message` is null where it is the record's whole value; key, value and headers
stand on the record's first message alone. `digest` is of an accepted message's bytes."""


def judged(
    batches: Iterable[pa.RecordBatch], registry: Registry, *, tolerance_us: int
) -> Iterator[pa.RecordBatch]:
    """Judge each record's messages; the batches have the columns of Spark's Kafka source."""
    for batch in batches:
        if batch.num_rows:
            with no_collection():
                found = _judged_batch(batch, registry, tolerance_us)
            yield found


def packed(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Pack each batch into one binary value, which the JVM passes on without looking into it."""
    for batch in batches:
        yield pa.RecordBatch.from_pydict(
            {"pack": pa.array([batch.serialize().to_pybytes()], pa.binary())}
        )


def unpacked(packs: pa.ChunkedArray) -> pl.DataFrame:
    """Return the judged messages of all packs."""
    batches = [
        pa.ipc.read_record_batch(pack.as_buffer(), JUDGED) for pack in packs.cast(pa.large_binary())
    ]
    frame = pl.from_arrow(pa.Table.from_batches(batches, JUDGED))
    assert isinstance(frame, pl.DataFrame)
    return frame


@contextmanager
def no_collection() -> Iterator[None]:
    """Keep the collector away from thousands of live tuples: there is no cycle among them."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _judged_batch(batch: pa.RecordBatch, registry: Registry, tolerance_us: int) -> pa.RecordBatch:
    headers = _header_dicts(batch.column("headers"))
    found = [
        (place, record, message)
        for place, record in enumerate(_records(batch, headers))
        for message in judge(record, registry, tolerance_us=tolerance_us)
    ]
    messages = [message for _, _, message in found]
    columns = [
        *_record_columns(batch, headers, [(place, message.item) for place, _, message in found]),
        *_message_columns([_row(record, message, registry) for _, record, message in found]),
        _tags(messages),
        _structs([message.reasons for message in messages], REASON),
        _structs([message.readings for message in messages], READING),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=JUDGED)


def _header_dicts(headers: pa.ListArray) -> list[dict[str, bytes]]:
    offsets = headers.offsets.to_pylist()
    entries = headers.values.slice(offsets[0], offsets[-1] - offsets[0])
    names, values = (entries.field(index).to_pylist() for index in (0, 1))
    return [
        dict(zip(names[start:end], values[start:end], strict=True))
        for start, end in pairwise(offset - offsets[0] for offset in offsets)
    ]


def _records(batch: pa.RecordBatch, headers: list[dict[str, bytes]]) -> Iterator[Record]:
    times = batch.column("timestamp").cast(TIMESTAMP).cast(pa.int64())
    columns = [batch.column(name) for name in ("topic", "partition", "offset")]
    columns += [times, batch.column("key"), batch.column("value")]
    lists = [column.to_pylist() for column in columns]
    return map(Record._make, zip(*lists, headers, strict=True))


def _record_columns(
    batch: pa.RecordBatch, headers: list[dict[str, bytes]], messages: list[tuple[int, int]]
) -> list[pa.Array]:
    names = ("topic", "partition", "offset", "timestamp")
    of_all = [batch.column(name) for name in names]
    of_first = [batch.column("key"), batch.column("value"), _header_maps(batch, headers)]
    if len(messages) != batch.num_rows:
        places = pa.array([place for place, _ in messages], pa.int32())
        firsts = pa.array([None if item else place for place, item in messages], pa.int32())
        of_all = [column.take(places) for column in of_all]
        of_first = [column.take(firsts) for column in of_first]
    return [
        column.cast(field.type)
        for column, field in zip([*of_all, *of_first], _OF_RECORD, strict=True)
    ]


def _header_maps(batch: pa.RecordBatch, headers: list[dict[str, bytes]]) -> pa.Array:
    lists = batch.column("headers")
    count = lists.offsets[-1].as_py() - lists.offsets[0].as_py()
    if sum(map(len, headers)) != count:
        # A header may come twice in a record, but not in a map.
        return pa.array([list(header.items()) for header in headers], HEADERS)
    entries = lists.values
    return pa.MapArray.from_arrays(
        lists.offsets, entries.field(0).cast(pa.string()), entries.field(1).cast(pa.binary())
    )


def _row(record: Record, judged: Judged, registry: Registry) -> tuple[object, ...]:
    message, device = judged.message, judged.device
    lat, lng = (message.lat, message.lng) if message else (None, None)
    is_accepted = message is not None and not judged.reasons and device is not None
    product = registry.product(judged.tenant, judged.product) if judged.product else None
    return (
        judged.item,
        judged.items,
        None if judged.raw is record.value else judged.raw,
        judged.tenant,
        judged.device_full,
        split_full_name(judged.device_full)[1] if judged.device_full else None,
        judged.product,
        judged.boot,
        judged.seq,
        judged.device_time,
        judged.event_time,
        judged.received_at,
        judged.clock,
        judged.late,
        judged.schema_version,
        device.zone if device else None,
        device.customer if device else None,
        lat if lat is not None or device is None else device.lat,
        lng if lng is not None or device is None else device.lng,
        device.firmware if device else None,
        product.retention_class if product else None,
        digest(judged.raw) if is_accepted else None,
    )


def digest(message: bytes) -> int:
    """Return the first 64 bits of the message's SHA-256."""
    return int.from_bytes(hashlib.sha256(message).digest()[:8], "big", signed=True)


def _message_columns(rows: list[tuple[object, ...]]) -> list[pa.Array]:
    columns = zip(*rows, strict=True) if rows else ((),) * len(_OF_MESSAGE)
    return [
        pa.array(column, field.type) for column, field in zip(columns, _OF_MESSAGE, strict=True)
    ]


def _tags(messages: list[Judged]) -> pa.Array:
    tags = [judged.message.tags if judged.message else None for judged in messages]
    return pa.array([None if tag is None else list(tag.items()) for tag in tags], TAGS)


def _structs(
    lists: list[tuple[Reason, ...]] | list[tuple[Reading, ...]], type_: pa.DataType
) -> pa.Array:
    offsets = list(accumulate(map(len, lists), initial=0))
    flat = [row for rows in lists for row in rows]
    columns = zip(*flat, strict=True) if flat else ((),) * type_.num_fields
    arrays = [pa.array(column, field.type) for column, field in zip(columns, type_, strict=True)]
    values = pa.StructArray.from_arrays(arrays, fields=list(type_))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)
