"""Who sent each record of a batch, read from its headers by column."""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spark_jobs.transforms.fleet import Fleet
from spark_jobs.transforms.words import Places, mask_of, split_names
from telemetry.encodings import CBOR
from telemetry.records import RECEIVED_AT_TRUST_US

_NAMED = ("tenant", "product", "device", "content_type")
_RECEIVED_DIGITS = 18
_MOST_COUNTS = 4_000_000
"""Records may name as many headers as they like: counted are some names, others are sorted."""


class Words(NamedTuple):
    """Names of senders as words, for columns in which each stands many times."""

    tenant: pa.DictionaryArray
    device_full: pa.DictionaryArray
    device: pa.DictionaryArray


class Senders(NamedTuple):
    """The senders that a batch names, each record's among them, and when each was received.

    One whose `device_full` is null did not say who it is; `first` is the row in the fleet of the
    first version of its device.
    """

    tenant: pa.Array
    device_full: pa.Array
    product: pa.Array
    device: pa.Array
    is_json: np.ndarray
    first: Places
    codes: Places
    received_at: Places
    words: Words


class Headers(NamedTuple):
    """Headers of all records one after another: their names by code, and how many of each record.

    `of_each` has the codes of a record's headers where they are those of every record.
    """

    lists: pa.ListArray
    words: pa.DictionaryArray
    names: list[str]
    codes: Places
    values: pa.Array
    counts: Places
    of_each: Places | None

    def of(self, name: str) -> pa.Array:
        """Return one header's value of each record, null where it has none; the last one counts."""
        code = self.names.index(name) if name in self.names else -1
        places = np.full(len(self.lists), -1, dtype=np.int64)
        if self.of_each is not None:
            at = np.flatnonzero(self.of_each == code)
            if len(at):
                places = np.arange(at[-1], len(self.codes), len(self.of_each))
        else:
            found = np.flatnonzero(self.codes == code)
            places[self._records()[found]] = found
        return self.values.take(pa.array(places, mask=places < 0))

    @property
    def is_map(self) -> bool:
        """Tell whether no record has a header twice."""
        if self.of_each is not None:
            return len(np.unique(self.of_each)) == len(self.of_each)
        width = len(self.names)
        both = self._records() * width + self.codes
        if len(self.lists) * width > _MOST_COUNTS:
            return len(np.unique(both)) == len(both)
        return int(np.bincount(both, minlength=1).max()) < 2

    def maps(self, rows: Places) -> Iterator[dict[str, bytes]]:
        """Yield the headers of some records; of a name that is there twice the last one counts."""
        counts = self.counts[rows]
        ends = np.cumsum(counts)
        places = np.repeat(np.cumsum(self.counts)[rows] - ends, counts) + np.arange(counts.sum())
        names = [self.names[code] for code in self.codes[places].tolist()]
        said = zip(names, self.values.take(pa.array(places)).to_pylist(), strict=True)
        return (dict(islice(said, count)) for count in counts.tolist())

    def _records(self) -> Places:
        return np.repeat(np.arange(len(self.lists)), self.counts)


def headers_of(lists: pa.ListArray) -> Headers:
    """Take the headers of a batch apart."""
    offsets = lists.offsets.to_numpy()
    entries = lists.values.slice(offsets[0], offsets[-1] - offsets[0])
    names = entries.field(0).dictionary_encode()
    codes, counts = names.indices.to_numpy(), np.diff(offsets)
    return Headers(
        lists,
        names,
        names.dictionary.to_pylist(),
        codes,
        entries.field(1),
        counts,
        _of_each(codes, counts),
    )


def _of_each(codes: Places, counts: Places) -> Places | None:
    width = int(counts[0]) if len(counts) else 0
    if not width or (counts != width).any():
        return None
    table = codes.reshape(-1, width)
    return table[0] if (table == table[0]).all() else None


def senders(batch: pa.RecordBatch, headers: Headers, times: Places, fleet: Fleet) -> Senders:
    """Read who sent each record; `times` has the append times in microseconds since 1970.

    What `telemetry.records.sender` says of a record is the definition.
    """
    columns = [headers.of(name) for name in _NAMED]
    # A key says something where the device's header does not.
    named = pc.greater(pc.binary_length(columns[2]), 0).fill_null(False)
    keys = pc.if_else(named, pa.scalar(None, pa.binary()), batch.column("key"))
    codes, firsts = combined([*columns, keys])
    tenant, product, device, type_, key = (
        _texts(column.take(pa.array(firsts))) for column in (*columns, keys)
    )
    tenant = pc.if_else(pc.equal(tenant, ""), "default", tenant)
    full = _full_names(product, device, key)
    product, device = split_names(full)
    return Senders(
        tenant,
        full,
        product,
        device,
        ~mask_of(pc.starts_with(type_, CBOR)),
        fleet.find(tenant, full.fill_null("")),
        codes,
        _received_at(headers.of("received_at"), times),
        Words(*(names.dictionary_encode() for names in (tenant, full, device))),
    )


def named(known: Senders, rows: Places) -> Iterator[tuple[str, str]]:
    """Yield (tenant, device_full) of those that some of the records name."""
    codes = pa.array(np.unique(known.codes[rows]))
    said = (column.take(codes).to_pylist() for column in (known.tenant, known.device_full))
    return ((tenant, name) for tenant, name in zip(*said, strict=True) if name is not None)


def _full_names(product: pa.Array, device: pa.Array, key: pa.Array) -> pa.Array:
    """Return `telemetry.devices.full_name` of each, null where nothing says who it is."""
    of_default = pc.is_in(product, pa.array(["", "default"]))
    joined = pc.if_else(of_default, device, pc.binary_join_element_wise(product, device, "."))
    said = pc.if_else(pc.match_substring(device, "."), device, joined)
    named = pc.if_else(pc.equal(device, ""), key, said)
    return pc.if_else(pc.equal(named, ""), pa.scalar(None, pa.string()), named)


def _texts(column: pa.Array) -> pa.Array:
    """Return bytes as text, that which is not UTF-8 replaced; empty where there is none."""
    try:
        found = column.cast(pa.string())
    except pa.ArrowInvalid:
        said = [value and value.decode("utf-8", "replace") for value in column.to_pylist()]
        found = pa.array(said, pa.string())
    return found.fill_null("")


def combined(columns: list[pa.Array]) -> tuple[Places, Places]:
    """Return the code of each row's combination of values, and the first row of each code."""
    codes, is_one = np.zeros(len(columns[0]), dtype=np.int64), True
    for column in columns:
        if _is_same(column):
            continue
        is_encoded = pa.types.is_dictionary(column.type)
        encoded = column if is_encoded else column.dictionary_encode()
        if len(encoded.dictionary) + bool(encoded.null_count) > 1:
            own = encoded.indices.fill_null(-1).to_numpy().astype(np.int64) + 1
            if is_one and not is_encoded:
                codes = own if encoded.null_count else own - 1
            else:
                # Combinations are numbered anew each time, so that they cannot overflow.
                both = codes * (len(encoded.dictionary) + 1) + own
                codes = pa.array(both).dictionary_encode().indices.to_numpy().astype(np.int64)
            is_one = False
    firsts = np.zeros(int(codes.max(initial=-1)) + 1, dtype=np.int64)
    firsts[codes[::-1]] = np.arange(len(codes))[::-1]
    return codes, firsts


def _is_same(column: pa.Array) -> bool:
    """Tell of bytes whether all are the same; it is cheaper than to encode them."""
    if not pa.types.is_binary(column.type) or column.null_count or not len(column):
        return bool(column.null_count == len(column))
    offsets = np.frombuffer(column.buffers()[1], np.int32)[column.offset :][: len(column) + 1]
    lengths = np.diff(offsets)
    size = int(lengths[0])
    if not size or (lengths != size).any():
        return not bool(lengths.any())
    whole = np.frombuffer(column.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
    return bool((whole.reshape(-1, size) == whole[:size]).all())


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
