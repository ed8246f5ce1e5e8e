"""Records to judged messages, an Arrow batch at a time, as Spark's workers run it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from spark_jobs.collector import no_collection
from spark_jobs.dedup.recent import digests
from spark_jobs.schema import REASON, TIMESTAMP
from spark_jobs.transforms.columns import accepted
from spark_jobs.transforms.fleet import Fleet
from spark_jobs.transforms.judgement import (
    HEADERS,
    MESSAGES,
    OF_MESSAGE,
    OF_RECORD,
    READINGS,
    TAGS,
    Judgement,
    bodies,
    together,
)
from spark_jobs.transforms.senders import Headers, headers_of, named, senders
from spark_jobs.transforms.some_rows import some
from spark_jobs.transforms.words import Places, mask_of
from telemetry.devices import split_full_name
from telemetry.judge import Judged, judge
from telemetry.message import Reason
from telemetry.records import Record
from telemetry.registry import Registry

_JUDGED = OF_MESSAGE[:-2]
"""Columns that judging fills; digest and stage follow from the record."""
_OF_FIRST = ("kafka_key", "value", "headers")
"""What stands on a record's first message alone."""
_NO_ROW = -1
AT_ONCE = 20_000
"""Messages judged one by one that are held as objects: a list may have very many."""
_Found = tuple[int, Record, Judged]
"""A message with its record, and that one's row."""
FEWEST = 64
"""Fewer messages of a product are judged one by one: columns would cost more."""


def judged(
    batches: Iterable[pa.RecordBatch],
    fleet: Fleet,
    *,
    tolerance_us: int,
    fewest: int = FEWEST,
) -> Iterator[Judgement]:
    """Judge each record's messages; the batches have the columns of Spark's Kafka source.

    What is yielded has one block of all its messages, or none.
    """
    for batch in batches:
        if batch.num_rows:
            with no_collection():
                found = _judged_batch(batch, fleet, tolerance_us, fewest)
            yield from found


def one_by_one(batch: pa.RecordBatch, registry: Registry, *, tolerance_us: int) -> Judgement:
    """Judge the messages of records as `telemetry.judge` defines it."""
    headers = headers_of(batch.column("headers"))
    records = _record_columns(batch, headers)
    sent = _records(batch, headers, np.arange(batch.num_rows))
    return together([*_one_by_one(sent, records, registry, tolerance_us)])


def _judged_batch(
    batch: pa.RecordBatch, fleet: Fleet, tolerance_us: int, fewest: int
) -> list[Judgement]:
    headers = headers_of(batch.column("headers"))
    times = batch.column("timestamp").cast(TIMESTAMP).cast(pa.int64()).to_numpy()
    known = senders(batch, headers, times, fleet)
    records = _record_columns(batch, headers)
    parts = [*accepted(batch, known, fleet, tolerance_us=tolerance_us, fewest=fewest)]
    is_left = np.ones(batch.num_rows, dtype=bool)
    for rows, _ in parts:
        is_left[rows] = False
    found = [*_with_records(records, parts)]
    left = np.flatnonzero(is_left)
    if len(left):
        registry = fleet.among(named(known, left))
        sent = _records(batch, headers, left)
        found += _one_by_one(sent, records, registry, tolerance_us)
    return found


def _with_records(
    records: pa.Table, parts: Sequence[tuple[Places, Judgement]]
) -> Iterator[Judgement]:
    """Add their records' columns to accepted messages, each of which is all of its record."""
    if not parts:
        return
    columns = _of_rows(records, np.concatenate([rows for rows, _ in parts]))
    digest, first = _digests(columns["value"]), 0
    for rows, found in parts:
        own = {name: column.slice(first, len(rows)) for name, column in columns.items()}
        yield _whole(found, own, digest[first : first + len(rows)])
        first += len(rows)


def _of_rows(
    records: pa.Table, places: Places, firsts: Places | None = None
) -> dict[str, pa.ChunkedArray]:
    """Return the columns of some records; key, value and headers of `firsts`, -1 for of none."""
    columns = {name: records[name] for name in records.column_names}
    if len(places) != records.num_rows or not np.array_equal(places, np.arange(len(places))):
        for name, column in columns.items():
            # Bytes are taken once: poison has many.
            rows = firsts if firsts is not None and name in _OF_FIRST else places
            columns[name] = pa.chunked_array([_taken(column.chunk(0), rows)])
    return columns


def _taken(column: pa.Array, rows: Places) -> pa.Array:
    is_none = rows == _NO_ROW
    return column.take(pa.array(rows, mask=is_none)) if is_none.any() else some(column, rows)


def _whole(
    found: Judgement, of_records: Mapping[str, pa.ChunkedArray], digest: np.ndarray
) -> Judgement:
    said = {name: found.messages[name] for name in found.messages.column_names}
    none = np.zeros(len(digest), dtype=bool)
    columns = {**of_records, **said, "digest": pa.array(digest), "is_staged": pa.array(none)}
    table = pa.table([columns[name] for name in MESSAGES.names], schema=MESSAGES)
    return found._replace(messages=table)


def _digests(messages: pa.ChunkedArray) -> np.ndarray:
    """Return 64 bits of each message's bytes."""
    series = pl.from_arrow(messages)
    assert isinstance(series, pl.Series)
    return digests(series)


def _digests_of_accepted(messages: pa.Table, values: pa.ChunkedArray) -> np.ndarray:
    """Return 64 bits of each accepted message's bytes; of others, which may be long, 0."""
    found = np.zeros(len(values), dtype=np.int64)
    is_accepted = pc.equal(pc.list_value_length(messages["reasons"]), 0)
    kept = mask_of(is_accepted)
    if kept.any():
        found[kept] = _digests(bodies(messages["message"], values).filter(is_accepted))
    return found


def _record_columns(batch: pa.RecordBatch, headers: Headers) -> pa.Table:
    columns = [batch.column(name) for name in ("topic", "partition", "offset", "timestamp")]
    columns += [batch.column("key"), batch.column("value"), _header_maps(headers)]
    topic, *others = columns
    cast = [column.cast(field.type) for column, field in zip(others, OF_RECORD[1:], strict=True)]
    return pa.table([topic.dictionary_encode(), *cast], schema=pa.schema(OF_RECORD))


def _header_maps(headers: Headers) -> pa.Array:
    if not headers.is_map:
        # A header may come twice in a record, but not in a map.
        lists = headers.lists.to_pylist()
        dicts = [{entry["key"]: entry["value"] for entry in each or ()} for each in lists]
        return pa.array([list(each.items()) for each in dicts], HEADERS)
    ends = np.cumsum(np.concatenate(([0], headers.counts)))
    values = headers.values.cast(pa.binary())
    return pa.MapArray.from_arrays(pa.array(ends, pa.int32()), headers.words, values)


def _one_by_one(
    sent: Iterable[tuple[int, Record]], records: pa.Table, registry: Registry, tolerance_us: int
) -> Iterator[Judgement]:
    """Judge records whose messages are objects for a while: of lists, some thousand at a time."""
    found: list[_Found] = []
    for row, record in sent:
        judgements = judge(record, registry, tolerance_us=tolerance_us)
        found += [(row, record, message) for message in judgements]
        if len(found) >= AT_ONCE:
            yield _in_columns(found, records, registry)
            found = []
    if found:
        yield _in_columns(found, records, registry)


def _in_columns(found: Sequence[_Found], records: pa.Table, registry: Registry) -> Judgement:
    messages = [message for _, _, message in found]
    columns = _message_columns([_row(record, message, registry) for _, record, message in found])
    fields = [*_JUDGED, MESSAGES.field("tags"), MESSAGES.field("reasons")]
    arrays = [*columns, _tags(messages), _reasons([message.reasons for message in messages])]
    rows = np.array([row for row, _, _ in found], dtype=np.int64)
    of_records = _of_rows(records, rows, np.where([each.item for each in messages], _NO_ROW, rows))
    judgement = Judgement(pa.table(arrays, schema=pa.schema(fields)), _readings(messages))
    digest = _digests_of_accepted(judgement.messages, of_records["value"])
    return _whole(judgement, of_records, digest)


def _records(batch: pa.RecordBatch, headers: Headers, rows: Places) -> Iterator[tuple[int, Record]]:
    """Yield some records as objects, with their rows."""
    times = batch.column("timestamp").cast(TIMESTAMP).cast(pa.int64())
    columns = [batch.column(name) for name in ("topic", "partition", "offset")]
    columns += [times, batch.column("key")]
    lists = (column.take(pa.array(rows)).to_pylist() for column in columns)
    value = batch.column("value")
    values = (value[row].as_py() for row in rows.tolist())
    found = zip(*lists, values, headers.maps(rows), strict=True)
    return zip(rows.tolist(), map(Record._make, found), strict=True)


def _row(record: Record, judged: Judged, registry: Registry) -> tuple[object, ...]:
    message, device = judged.message, judged.device
    lat, lng = (message.lat, message.lng) if message else (None, None)
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
    )


def _message_columns(rows: list[tuple[object, ...]]) -> list[pa.Array]:
    columns = zip(*rows, strict=True) if rows else ((),) * len(_JUDGED)
    return [_array(column, field.type) for column, field in zip(columns, _JUDGED, strict=True)]


def _array(column: Sequence[object], type_: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(type_):
        return pa.array(column, type_.value_type).dictionary_encode()
    return pa.array(column, type_)


def _tags(messages: list[Judged]) -> pa.Array:
    """Return the tags of each in the order of their names, as columns have them."""
    tags = [judged.message.tags if judged.message else None for judged in messages]
    return pa.array([None if tag is None else sorted(tag.items()) for tag in tags], TAGS)


def _reasons(lists: list[tuple[Reason, ...]]) -> pa.Array:
    offsets = list(accumulate(map(len, lists), initial=0))
    flat = [row for rows in lists for row in rows]
    columns = zip(*flat, strict=True) if flat else ((),) * REASON.num_fields
    arrays = [pa.array(column, field.type) for column, field in zip(columns, REASON, strict=True)]
    values = pa.StructArray.from_arrays(arrays, fields=list(REASON))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)


def _readings(messages: list[Judged]) -> pa.Table:
    rows = [(at, *reading) for at, judged in enumerate(messages) for reading in judged.readings]
    columns = zip(*rows, strict=True) if rows else ((),) * len(READINGS)
    arrays = [_array(column, field.type) for column, field in zip(columns, READINGS, strict=True)]
    return pa.table(arrays, schema=READINGS)
