"""A field of many of Kafka's records read at once: numbers, contents, headers."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from spark_jobs.header_layouts import alike, header_lists
from telemetry.errors import HeadwaterError

_WORD = 8
PADDING = b"\0" * _WORD
"""A field that is cut off is read behind the end, and found to be wrong there."""
_LONGEST_VARINT = 63
_LONGEST = 64 * 1024
_MOSTLY = 0.75
_BINARY = pa.binary()
Places = np.ndarray


class UnusualRecordsError(HeadwaterError):
    """Records in a form that is not read in columns: Spark's source reads them."""


class Joined(NamedTuple):
    """Bytes of many batches; what lies behind their size is of others."""

    content: bytearray
    size: int


class Contents(NamedTuple):
    """Where a field of each record begins, and how long it is: -1 of one that is null."""

    start: Places
    length: Places


class Fields:
    """Reads a field of all records at once; `at` is where each record goes on."""

    def __init__(self, whole: Joined, at: Places) -> None:
        """Take the bytes of all records, with the padding behind them."""
        self._bytes = np.frombuffer(whole.content, np.uint8, whole.size)
        self._buffer = pa.py_buffer(whole.content)
        self.at = at

    def varint(self) -> Places:
        """Read a zigzag varint."""
        value, self.at = self._varint(self.at)
        return value

    def contents(self) -> Contents:
        """Read where bytes stand behind their length."""
        length, start = self._varint(self.at)
        self.at = start + np.maximum(length, 0)
        return Contents(start, length)

    def usual_first(self, contents: Contents) -> Places | None:
        """Return the order in which contents that begin like most are before the others.

        None where all of them do, or too few. Most of what is rejected begins otherwise, and may
        have many bytes: where it stands together, none of them is copied again.
        """
        if not len(contents.start):
            return None
        count = len(self._bytes) - _WORD + 1
        words = np.ndarray((count,), "<u8", self._bytes, strides=(1,))
        begin = words[np.minimum(contents.start, count - 1)]
        for place in (len(begin) // 2, 0, len(begin) - 1):
            is_usual = (begin == begin[place]) & (contents.length <= _LONGEST)
            if is_usual.all():
                return None
            if np.count_nonzero(is_usual) > _MOSTLY * len(begin):
                return np.concatenate([np.flatnonzero(is_usual), np.flatnonzero(~is_usual)])
        return None

    def headers(self, ends: Places) -> pa.ListArray:
        """Read headers, their names as words; a record that is well ends with them."""
        rows, lists = [], []
        is_other = np.ones(len(self.at), dtype=bool)
        for group in alike(self._bytes, self.at, ends):
            self.at[group.rows], is_other[group.rows] = ends[group.rows], False
            rows.append(group.rows)
            lists.append(group.headers)
        others = np.flatnonzero(is_other)
        if len(others) or not lists:
            rows.append(others[np.argsort(self.at[others])])
            lists.append(self._others(rows[-1]))
        places = np.concatenate(rows)
        found = lists[0] if len(lists) == 1 else pa.concat_arrays(lists)
        if (places[1:] > places[:-1]).all():
            return found
        order = np.argsort(places)
        return found.take(pa.array(order))

    def _others(self, rows: Places) -> pa.ListArray:
        """Read the headers of records that are like no others."""
        counts = self._counts(rows)
        name_at, name_length, value_at, value_length = self._spans(rows, counts)
        self._check(name_length)
        names = self.slices(Contents(name_at, name_length), type_=pa.string())
        try:
            names.validate(full=True)
        except pa.ArrowInvalid as error:
            raise UnusualRecordsError("the name of a header is no UTF-8") from error
        values = self.slices(Contents(value_at, value_length))
        return header_lists(np.cumsum(counts), names.dictionary_encode(), values)

    def _counts(self, rows: Places) -> Places:
        """Read how many headers some records have."""
        counts, self.at[rows] = self._varint(self.at[rows])
        self._check(counts)
        size = len(self._bytes)
        if int(counts.max(initial=0)) > size or int(counts.sum()) > size:
            raise HeadwaterError("a record says that it has more headers than it has bytes")
        return counts

    def _spans(self, rows: Places, counts: Places) -> Places:
        """Return where names and values of all headers begin, and how long they are.

        One record may have very many, beside many records that have few: so each has its place
        in one row, and no record has room for what only others have.
        """
        spans, firsts = np.zeros((4, int(counts.sum())), np.int64), np.cumsum(counts) - counts
        left, nth = np.flatnonzero(counts), 0
        while len(left):
            at, into = self.at[rows[left]], firsts[left] + nth
            for first in (0, 2):
                length, start = self._varint(at)
                spans[first, into], spans[first + 1, into] = start, length
                at = start + np.maximum(length, 0)
            self.at[rows[left]] = at
            nth += 1
            left = left[counts[left] > nth]
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

    def slices(
        self, contents: Contents, order: Places | None = None, type_: pa.DataType = _BINARY
    ) -> pa.Array:
        """Return bytes from places that follow one another, as they do or in another order.

        All bytes are one array of these and of what lies between them, of which every other
        value is taken: so Arrow copies them.
        """
        start, length = contents
        bounds = np.stack([start, start + np.maximum(length, 0)], axis=1).ravel()
        if not len(bounds):
            return pa.array([], type_)
        if bounds[0] < 0 or bounds[-1] > len(self._bytes) or (np.diff(bounds) < 0).any():
            raise HeadwaterError("a record is not as long as it says")
        buffers = [None, pa.py_buffer(bounds.astype(np.int32)), self._buffer]
        all_bytes = pa.Array.from_buffers(type_, len(bounds) - 1, buffers)
        rows = np.arange(len(start)) if order is None else order
        return all_bytes.take(pa.array(rows * 2, mask=length[rows] < 0))
