"""Kafka's record batches to Arrow's columns, the fields of many records at once.

A record is varints and bytes (format 2, https://kafka.apache.org/documentation/#recordbatch):
where each one ends is found by its length, one after the other; all else is read in columns.
"""

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from kafka.record.default_records import DefaultRecordBatch
from kafka.record.memory_records import MemoryRecords

from spark_jobs.record_codecs import decompressed
from spark_jobs.record_fields import PADDING, Fields, Joined, Places, UnusualRecordsError
from telemetry.errors import HeadwaterError

FORMAT = 2
_HEADER_SIZE = DefaultRecordBatch.HEADER_STRUCT.size


class Batch(NamedTuple):
    """Records as a producer has sent them together, decompressed."""

    offset: int
    rows: int
    first_ms: int
    appended_ms: int | None
    """When the broker took it, where the topic goes by that; else each record has its own time."""
    records: bytes
    next_offset: int

    def without_records(self) -> "Batch":
        """Return its offsets alone."""
        return self._replace(rows=0, records=b"")


class Aborted(NamedTuple):
    """A transaction that was given up: of which producer, from which offset on."""

    first_offset: int
    producer: int


class Columns(NamedTuple):
    """One value a record: its batch, its offset as Kafka counts, its time in microseconds."""

    batch: Places
    offset: Places
    time_us: Places
    key: pa.Array
    value: pa.Array
    headers: pa.ListArray


def batches(fetched: bytes, aborted: Iterable[Aborted] = ()) -> Iterator[Batch]:
    """Yield the batches of what a broker gave for a partition; one that is cut off is left out.

    Those of transactions that were given up come without records, and so do the marks of all.
    """
    view, at = memoryview(fetched), 0
    waiting, given_up = deque(sorted(aborted)), set[int]()
    for batch in MemoryRecords(fetched):
        if not isinstance(batch, DefaultRecordBatch) or batch.magic != FORMAT:
            raise UnusualRecordsError(f"records of format {batch.magic}")
        if not batch.validate_crc():
            raise HeadwaterError(f"the records from offset {batch.base_offset} on are damaged")
        while waiting and waiting[0].first_offset <= batch.last_offset:
            given_up.add(waiting.popleft().producer)
        until = at + batch.size_in_bytes
        found = _batch(batch, view[at + _HEADER_SIZE : until])
        at = until
        if batch.is_control_batch:
            given_up.discard(batch.producer_id)
            yield found.without_records()
        elif batch.is_transactional and batch.producer_id in given_up:
            yield found.without_records()
        else:
            yield found


def _batch(batch: DefaultRecordBatch, content: memoryview) -> Batch:
    return Batch(
        batch.base_offset,
        batch.records_count,
        batch.first_timestamp,
        batch.max_timestamp if batch.timestamp_type else None,
        _decompressed(content, batch.compression_type),
        batch.last_offset + 1,
    )


def _decompressed(content: memoryview, codec: int) -> bytes:
    found = decompressed(content, codec)
    if found is None:
        raise UnusualRecordsError(f"records are compressed by codec {codec}, or beyond all measure")
    return found


class _Room(threading.local):
    """Memory of a thread that is used again: new pages cost more than the copying."""

    def __init__(self) -> None:
        self._content = bytearray()

    def joined(self, parts: Sequence[bytes]) -> Joined:
        """Return the parts one after the other; they are overwritten the next time."""
        size = sum(map(len, parts))
        if size > len(self._content):
            self._content = bytearray(size + size // 4)
        at = 0
        for part in parts:
            self._content[at : at + len(part)] = part
            at += len(part)
        return Joined(self._content, size)


_room = _Room()


def columns(
    found: Sequence[Batch],
    wanted: Sequence[tuple[int, int]] | None = None,
    *,
    usual_first: bool = False,
) -> Columns:
    """Return the records of batches, in their order, or those first that are like most.

    Where offsets are `wanted` of each batch (from the first, the second not among them), others
    are left out before they are copied.
    """
    counts = np.array([batch.rows for batch in found], np.int64)
    whole = _room.joined([*(batch.records for batch in found), PADDING])
    ends = _ends(whole, found)
    fields = Fields(whole, np.concatenate(([0], ends))[:-1])
    fields.varint()  # the length, by which the ends were found
    fields.at += 1  # attributes, of which there are none yet
    since_ms, since_offset = fields.varint(), fields.varint()
    batch = np.repeat(np.arange(len(found)), counts)
    offsets = _of_batches([each.offset for each in found], batch) + since_offset
    if wanted is not None:
        first, until = (_of_batches(bound, batch) for bound in zip(*wanted, strict=True))
        kept = (offsets >= first) & (offsets < until)
        batch, offsets, since_ms, ends = batch[kept], offsets[kept], since_ms[kept], ends[kept]
        fields.at = fields.at[kept]
    key, value = fields.contents(), fields.contents()
    order = fields.usual_first(value) if usual_first else None
    if order is not None:
        batch, offsets, since_ms, ends = batch[order], offsets[order], since_ms[order], ends[order]
        fields.at = fields.at[order]
    headers = fields.headers(ends)
    if not np.array_equal(fields.at, ends):
        raise HeadwaterError("a record is not as long as it says")
    keys, values = fields.slices(key, order), fields.slices(value, order)
    return Columns(batch, offsets, _times_us(found, batch, since_ms), keys, values, headers)


def _times_us(found: Sequence[Batch], batch: Places, since_ms: Places) -> Places:
    times: Places = _of_batches([each.first_ms for each in found], batch) + since_ms
    if any(each.appended_ms is not None for each in found):
        said = [-1 if each.appended_ms is None else each.appended_ms for each in found]
        appended = _of_batches(said, batch)
        times = np.where(appended < 0, times, appended)
    return times * 1000


def _of_batches(said: Sequence[int], batch: Places) -> Places:
    found: Places = np.array(said, np.int64)[batch]
    return found


def _ends(whole: Joined, found: Sequence[Batch]) -> Places:
    """Return where each record ends; each batch ends with its last one."""
    ends: list[int] = []
    until = at = 0
    content = whole.content
    try:
        for batch in found:
            for _ in range(batch.rows):
                # Zigzag: a length, which is not negative, is doubled. Of most it has two bytes.
                if (byte := content[at]) < 128:
                    at += 1 + (byte >> 1)
                elif (more := content[at + 1]) < 128:
                    at += 2 + (byte - 128 >> 1) + (more << 6)
                else:
                    at = _behind(content, at)
                ends.append(at)
            until += len(batch.records)
            if at != until:
                raise HeadwaterError(f"records from offset {batch.offset} on are cut off")
    except IndexError as error:
        raise HeadwaterError("records are cut off") from error
    return np.array(ends, np.int64)


def _behind(content: bytearray, at: int) -> int:
    """Return where a record ends that begins with its length."""
    size = shift = 0
    while (byte := content[at]) > 127:
        size |= (byte & 127) << shift
        shift += 7
        at += 1
    return at + 1 + ((size | byte << shift) >> 1)
