"""Headers that many records write alike: the same names, and values as long as each other's.

Most producers say the same of each record. Where one record's headers have been read, others like
it are told by comparing their bytes, and their values stand at the same places.
"""

from collections.abc import Iterator
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa

NAMES = pa.dictionary(pa.int32(), pa.string())
_WORD = 8
_LONGEST = 1024
"""Bytes of headers that are compared; longer ones are read one by one."""
_MOST = 32
"""Layouts of one batch that are looked for."""
_WORTH = 64
"""A layout that fewer than one record in so many has is none of many."""


class Alike(NamedTuple):
    """Records whose headers have one layout: their rows, and their headers."""

    rows: np.ndarray
    headers: pa.ListArray


class _Layout(NamedTuple):
    """Names of headers, and where their values are: from the count of headers on.

    The length is -1 of a value that is null. `words` are what other records must say where `masks`
    has bits.
    """

    size: int
    names: tuple[str, ...]
    values: tuple[tuple[int, int], ...]
    words: np.ndarray
    masks: np.ndarray

    @classmethod
    def of(cls, headers: bytes) -> Self | None:
        """Read the headers of one record; None where they are not what many would say."""
        try:
            return cls._of(headers)
        except (IndexError, UnicodeDecodeError):
            return None

    @classmethod
    def _of(cls, headers: bytes) -> Self | None:
        count, at = _varint(headers, 0)
        names, values = [], []
        mask = bytearray(b"\xff" * len(headers))
        for _ in range(count):
            length, at = _varint(headers, at)
            if length < 0:
                return None
            names.append(headers[at : at + length].decode())
            length, start = _varint(headers, at + length)
            values.append((start, length))
            at = start + max(length, 0)
            mask[start:at] = bytes(at - start)
        if count < 0 or at != len(headers):
            return None
        words = _words(headers), _words(bytes(mask))
        return cls(len(headers), tuple(names), tuple(values), *words)

    def lists(self, content: np.ndarray) -> pa.ListArray:
        """Return the headers of records, given their bytes: a row a record."""
        count, width = len(content), len(self.names)
        lengths = np.array([max(length, 0) for _, length in self.values], np.int64)
        behind = np.cumsum(lengths)
        packed = np.empty((count, int(lengths.sum())), np.uint8)
        for (start, length), end in zip(self.values, behind.tolist(), strict=True):
            if length > 0:
                packed[:, end - length : end] = content[:, start : start + length]
        ends = np.arange(count)[:, None] * packed.shape[1] + behind
        is_null = np.tile(np.array([length < 0 for _, length in self.values], bool), count)
        buffers = [_valid(~is_null), _offsets(ends.ravel()), pa.py_buffer(packed)]
        values = pa.Array.from_buffers(pa.binary(), count * width, buffers)
        return header_lists(np.arange(1, count + 1) * width, self._words(count), values)

    def _words(self, count: int) -> pa.DictionaryArray:
        said = [*dict.fromkeys(self.names)]
        codes = np.array([said.index(name) for name in self.names], np.int32)
        words = pa.array(said, pa.string())
        return pa.DictionaryArray.from_arrays(pa.array(np.tile(codes, count)), words)


def _valid(flags: np.ndarray) -> pa.Buffer | None:
    return None if flags.all() else pa.py_buffer(np.packbits(flags, bitorder="little"))


def _offsets(ends: np.ndarray) -> pa.Buffer:
    return pa.py_buffer(np.concatenate(([0], ends)).astype(np.int32))


def header_lists(ends: np.ndarray, names: pa.DictionaryArray, values: pa.Array) -> pa.ListArray:
    """Return headers of records, given where those of each one end among all."""
    pairs = pa.StructArray.from_arrays([names, values], ["key", "value"])
    offsets = pa.Array.from_buffers(pa.int32(), len(ends) + 1, [None, _offsets(ends)])
    return pa.ListArray.from_arrays(offsets, pairs)


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """Return a zigzag number, and the place behind it."""
    value = shift = 0
    while (byte := content[at]) > 127:
        value |= (byte & 127) << shift
        shift += 7
        at += 1
    value |= byte << shift
    return (value >> 1) ^ -(value & 1), at + 1


def _words(content: bytes) -> np.ndarray:
    return np.frombuffer(content + bytes(-len(content) % _WORD), "<u8")


def alike(content: np.ndarray, at: np.ndarray, ends: np.ndarray) -> Iterator[Alike]:
    """Yield the records with each layout that many have, given where headers begin and end.

    Behind the last one of `ends` the content goes on for a word at least.
    """
    sizes = ends - at
    left = np.flatnonzero((sizes > 0) & (sizes <= _LONGEST) & (at >= 0))
    for _ in range(_MOST):
        if not len(left):
            return
        first = left[len(left) // 2]
        layout = _Layout.of(content[at[first] : ends[first]].tobytes())
        if layout is None:
            left = left[left != first]
            continue
        is_it = sizes[left] == layout.size
        words = _at(content, at[left[is_it]], len(layout.words))
        same = ~np.bitwise_or.reduce((words ^ layout.words) & layout.masks, axis=1).astype(bool)
        is_it[is_it] = same
        headers = words if same.all() else words[same]
        yield Alike(left[is_it], layout.lists(headers.view(np.uint8)))
        if np.count_nonzero(same) * _WORTH < len(at):
            return
        left = left[~is_it]


def _at(content: np.ndarray, at: np.ndarray, words: int) -> np.ndarray:
    """Return the words at some places, a row a place."""
    size = words * _WORD
    anywhere = np.ndarray((len(content) - size + 1,), f"V{size}", content, strides=(1,))
    found: np.ndarray = anywhere[at].view("<u8").reshape(len(at), words)
    return found
