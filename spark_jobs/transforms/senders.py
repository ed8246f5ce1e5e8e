"""Who sent each record of a batch, read from its headers by column."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from telemetry.records import RECEIVED_AT_TRUST_US, Record, Sender, sender

_NAMED = ("tenant", "product", "device", "content_type")
_RECEIVED_DIGITS = 18
Places = np.ndarray
"""Whole numbers: rows of a batch, or codes of them."""


class Senders(NamedTuple):
    """The senders that a batch names, each record's among them, and when each was received."""

    known: list[Sender]
    codes: Places
    received_at: Places


class Headers(NamedTuple):
    """Headers of all records one after another, with the record that each belongs to."""

    lists: pa.ListArray
    names: pa.Array
    values: pa.Array
    records: Places

    def of(self, name: str) -> pa.Array:
        """Return one header's value of each record, null where it has none; the last one counts."""
        places = np.full(len(self.lists), -1, dtype=np.int64)
        found = np.flatnonzero(pc.equal(self.names, name).to_numpy(zero_copy_only=False))
        places[self.records[found]] = found
        return self.values.take(pa.array(places, mask=places < 0))

    @property
    def is_map(self) -> bool:
        """Tell whether no record has a header twice."""
        codes = self.names.indices.to_numpy()
        width = len(self.names.dictionary)
        return not len(codes) or int(np.bincount(self.records * width + codes).max()) < 2


def headers_of(lists: pa.ListArray) -> Headers:
    """Take the headers of a batch apart."""
    offsets = lists.offsets.to_numpy()
    entries = lists.values.slice(offsets[0], offsets[-1] - offsets[0])
    names = entries.field(0).dictionary_encode()
    records = np.repeat(np.arange(len(lists)), np.diff(offsets))
    return Headers(lists, names, entries.field(1), records)


def senders(batch: pa.RecordBatch, headers: Headers, times: Places) -> Senders:
    """Read who sent each record; `times` has the append times in microseconds since 1970."""
    columns = [headers.of(name) for name in _NAMED]
    # A key says something where the device's header does not.
    named = pc.greater(pc.binary_length(columns[2]), 0).fill_null(False)
    keys = pc.if_else(named, pa.scalar(None, pa.binary()), batch.column("key"))
    codes, firsts = combined([*columns, keys])
    values = [column.take(pa.array(firsts)).to_pylist() for column in (*columns, keys)]
    known = [_sender(*of_one) for of_one in zip(*values, strict=True)]
    return Senders(known, codes, _received_at(headers.of("received_at"), times))


def combined(columns: list[pa.Array]) -> tuple[Places, Places]:
    """Return the code of each row's combination of values, and the first row of each code."""
    codes = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        is_encoded = pa.types.is_dictionary(column.type)
        encoded = column if is_encoded else column.dictionary_encode()
        if len(encoded.dictionary):
            # Combinations are numbered anew each time, so that they cannot overflow.
            own = encoded.indices.fill_null(-1).to_numpy().astype(np.int64) + 1
            both = codes * (len(encoded.dictionary) + 1) + own
            codes = pa.array(both).dictionary_encode().indices.to_numpy().astype(np.int64)
    firsts = np.zeros(int(codes.max(initial=-1)) + 1, dtype=np.int64)
    firsts[codes[::-1]] = np.arange(len(codes))[::-1]
    return codes, firsts


def _sender(*values: bytes | None) -> Sender:
    *named, key = values
    said = {name: value for name, value in zip(_NAMED, named, strict=True) if value is not None}
    return sender(Record("", 0, 0, 0, key, None, said))


def _received_at(header: pa.Array, times: Places) -> Places:
    """Return what headers say where they are numbers near the append time, else that."""
    try:
        said = header.cast(pa.string())
    except pa.ArrowInvalid:
        plain = [value if value is None or value.isascii() else b"" for value in header.to_pylist()]
        said = pa.array(plain, pa.binary()).cast(pa.string())
    short = pc.less_equal(pc.binary_length(said), _RECEIVED_DIGITS)
    is_number = pc.and_(pc.string_is_ascii(said), pc.and_(pc.ascii_is_decimal(said), short))
    numbers = pc.if_else(is_number, said, pa.scalar(None, pa.string())).cast(pa.int64())
    received_at = numbers.fill_null(-1).to_numpy()
    near = (received_at >= 0) & (np.abs(received_at - times) <= RECEIVED_AT_TRUST_US)
    return np.where(near, received_at, times)
