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
from telemetry.errors import HeadwaterError

FORMAT = 2
_HEADER_SIZE = DefaultRecordBatch.HEADER_STRUCT.size
_PADDING = b"\0" * 8
"""A field that is cut off is read behind the end, and found to be wrong there."""
_LONGEST_VARINT = 63
Places = np.ndarray


class UnusualRecordsError(HeadwaterError):
    """Records in a form that is not read in columns: Spark's source reads them."""


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


class Joined(NamedTuple):
    """Bytes of many batches; what lies behind their size is of others."""

    content: bytearray
    size: int


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


def columns(found: Sequence[Batch], wanted: Sequence[tuple[int, int]] | None = None) -> Columns:
    """Return the records of batches, in their order.

    Where offsets are `wanted` of each batch (from the first, the second not among them), others
    are left out before they are copied.
    """
    counts = np.array([batch.rows for batch in found], np.int64)
    whole = _room.joined([*(batch.records for batch in found), _PADDING])
    ends = _ends(whole, found)
    fields = _Fields(whole, np.concatenate(([0], ends))[:-1])
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
    key, value = fields.content(), fields.content()
    headers = fields.headers()
    if not np.array_equal(fields.at, ends):
        raise HeadwaterError("a record is not as long as it says")
    times = _of_batches([each.first_ms for each in found], batch) + since_ms
    if any(each.appended_ms is not None for each in found):
        said = [-1 if each.appended_ms is None else each.appended_ms for each in found]
        appended = _of_batches(said, batch)
        times = np.where(appended < 0, times, appended)
    return Columns(batch, offsets, times * 1000, key, value, headers)


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
                byte = content[at]
                size, shift = byte & 127, 7
                at += 1
                while byte > 127:
                    byte = content[at]
                    size |= (byte & 127) << shift
                    shift += 7
                    at += 1
                at += size >> 1  # zigzag: a length is not negative
                ends.append(at)
            until += len(batch.records)
            if at != until:
                raise HeadwaterError(f"records from offset {batch.offset} on are cut off")
    except IndexError as error:
        raise HeadwaterError("records are cut off") from error
    return np.array(ends, np.int64)


class _Fields:
    """Reads a field of all records at once; `at` is where each record goes on."""

    def __init__(self, whole: Joined, at: Places) -> None:
        self._bytes = np.frombuffer(whole.content, np.uint8, whole.size)
        self._buffer = pa.py_buffer(whole.content)
        self.at = at

    def varint(self) -> Places:
        """Read a zigzag varint."""
        value, self.at = self._varint(self.at)
        return value

    def content(self) -> pa.Array:
        """Read bytes behind their length; they are null where that is -1."""
        length, start = self._varint(self.at)
        self.at = start + np.maximum(length, 0)
        return self._slices(start, length, pa.binary())

    def headers(self) -> pa.ListArray:
        """Read how many headers there are, and their names and values."""
        counts = self.varint()
        self._check(counts)
        size = len(self._bytes)
        if int(counts.max(initial=0)) > size or int(counts.sum()) > size:
            raise HeadwaterError("a record says that it has more headers than it has bytes")
        ends = np.cumsum(counts)
        name_at, name_length, value_at, value_length = self._header_spans(counts, ends - counts)
        self._check(name_length)
        names = self._slices(name_at, name_length, pa.string())
        try:
            names.validate(full=True)
        except pa.ArrowInvalid as error:
            raise UnusualRecordsError("the name of a header is no UTF-8") from error
        values = self._slices(value_at, value_length, pa.binary())
        offsets = pa.array(np.concatenate(([0], ends)), pa.int32())
        pairs = pa.StructArray.from_arrays([names, values], ["key", "value"])
        return pa.ListArray.from_arrays(offsets, pairs)

    def _header_spans(self, counts: Places, firsts: Places) -> Places:
        """Return where names and values of all headers begin, and how long they are.

        One record may have very many, beside many records that have few: so each has its place
        in one row, and no record has room for what only others have.
        """
        spans = np.zeros((4, int(counts.sum())), np.int64)
        rows, nth = np.flatnonzero(counts), 0
        while len(rows):
            at, into = self.at[rows], firsts[rows] + nth
            for first in (0, 2):
                length, start = self._varint(at)
                spans[first, into], spans[first + 1, into] = start, length
                at = start + np.maximum(length, 0)
            self.at[rows] = at
            nth += 1
            rows = rows[counts[rows] > nth]
        return spans

    def _varint(self, at: Places) -> tuple[Places, Places]:
        """Return values, and the places behind them."""
        byte = self._byte(at)
        value, behind = byte & 127, at + 1
        more, shift = np.flatnonzero(byte > 127), 7
        while len(more):
            byte = self._byte(behind[more])
            value[more] |= (byte & 127) << shift
            behind[more] += 1
            more, shift = more[byte > 127], shift + 7
            if shift > _LONGEST_VARINT:
                raise HeadwaterError("a number in a record has no end")
        return (value >> 1) ^ -(value & 1), behind

    def _byte(self, at: Places) -> Places:
        return self._bytes.take(at, mode="clip").astype(np.int64)

    @staticmethod
    def _check(counts: Places) -> None:
        if (counts < 0).any():
            raise HeadwaterError("a record says of itself that it is shorter than nothing")

    def _slices(self, start: Places, length: Places, type_: pa.DataType) -> pa.Array:
        """Return bytes from places that follow one another.

        All bytes are one array of these and of what lies between them, of which every other
        value is taken: so Arrow copies them.
        """
        bounds = np.stack([start, start + np.maximum(length, 0)], axis=1).ravel()
        if not len(bounds):
            return pa.array([], type_)
        if bounds[0] < 0 or bounds[-1] > len(self._bytes) or (np.diff(bounds) < 0).any():
            raise HeadwaterError("a record is not as long as it says")
        buffers = [None, pa.py_buffer(bounds.astype(np.int32)), self._buffer]
        all_bytes = pa.Array.from_buffers(type_, len(bounds) - 1, buffers)
        is_null = length < 0
        return all_bytes.take(pa.array(np.arange(len(start)) * 2, mask=is_null))
