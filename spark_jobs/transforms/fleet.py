"""The registry in columns: whom it knows among many senders, found all at once.

A million devices as objects take a gigabyte in each process and seconds to hand over; as a table,
a tenth of that.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import NamedTuple, Self

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from spark_jobs.dedup.names import hashed
from spark_jobs.transforms.words import Places
from telemetry.devices import FIRST_VALID_FROM, Device
from telemetry.products import Product
from telemetry.registry import Registry

NOBODY = -1
"""The row of a device that is not known."""
_VALID_FROM = pa.timestamp("us", "UTC")
COLUMNS = {
    "device_full": pa.string(),
    "tenant": pa.string(),
    "zone": pa.string(),
    "customer": pa.string(),
    "lat": pa.float64(),
    "lng": pa.float64(),
    "firmware": pa.string(),
    "valid_from": _VALID_FROM,
}
"""What is known of a version of a device, in the order of `Device`."""
_MOST_KEPT = 1000
_ALWAYS = -(2**63)
_FIRST_US = int(FIRST_VALID_FROM.timestamp() * 1_000_000)
_ODD = np.uint64(0x9E3779B97F4A7C15)
_FOUND = ("_is_first", "_index", "_last", "_starts")
"""What is found of the rows once, and takes half a second for a million devices."""


FirstUse = Mapping[tuple[str, str], Mapping[str, str]]
"""(tenant, product) → metric → its type."""
Hashes = Callable[[pa.Array, pa.Array], np.ndarray]
"""Returns 64 bits for each device, given tenants and names; two may share them."""


class _Index(NamedTuple):
    """Hashes of devices in ascending order, and the row of the first version of each."""

    hashes: np.ndarray
    first: Places


class Fleet(Registry):
    """A registry whose devices are a table, a row a version."""

    def __init__(
        self,
        products: Iterable[Product],
        versions: pa.Table,
        first_use: FirstUse | None = None,
        hashes: Hashes | None = None,
    ) -> None:
        """Take rows of versions: those of a device stand together, in their order."""
        super().__init__(products, (), first_use)
        self._hashes = hashes or _hashes
        self._versions = versions.combine_chunks()
        self._asked: tuple[frozenset[tuple[str, str]], Registry] | None = None

    @classmethod
    def of(
        cls,
        products: Iterable[Product],
        devices: Iterable[Device],
        first_use: FirstUse | None = None,
    ) -> Self:
        """Take every version of every device, in any order."""
        return cls(products, versions_table(devices), first_use)

    def beside(self, products: Iterable[Product], first_use: FirstUse) -> Self:
        """Return the same devices beside other products and types; what finds them is kept."""
        made = type(self)(products, self._versions, first_use, self._hashes)
        made.__dict__ |= {name: self.__dict__[name] for name in _FOUND if name in self.__dict__}
        return made

    def __reduce__(self) -> tuple[object, ...]:
        """Leave out what the other process finds itself."""
        products = [*self.products.values()]
        return type(self), (products, self._versions, self.first_use, self._hashes)

    @property
    def rows(self) -> pa.Table:
        """The versions of all devices."""
        return self._versions

    def find(self, tenants: pa.Array, names: pa.Array) -> Places:
        """Return the row of each device's first version, `NOBODY` for one that is not known."""
        index, asked = self._index, self._hashes(tenants, names)
        if not len(index.hashes):
            return np.full(len(asked), NOBODY, dtype=np.int64)
        at = np.minimum(np.searchsorted(index.hashes, asked), len(index.hashes) - 1)
        hit = np.flatnonzero(index.hashes[at] == asked)
        rows = np.full(len(asked), NOBODY, dtype=np.int64)
        rows[hit] = index.first[at[hit]]
        is_other = ~self._are(rows[hit], tenants.take(pa.array(hit)), names.take(pa.array(hit)))
        for place in hit[is_other]:
            rows[place] = self._searched(tenants[place], names[place])
        return rows

    def at(self, first: Places, event_time: Places) -> Places:
        """Return the row of the version that holds at each time, given its device's first one.

        A device may have changed thousands of times: among its versions is searched by halves.
        """
        rows, last = first.copy(), self._last[first]
        moving = np.flatnonzero(rows < last)
        while len(moving):
            middle = (rows[moving] + last[moving] + 1) // 2
            has_begun = self._starts[middle] <= event_time[moving]
            rows[moving] = np.where(has_begun, middle, rows[moving])
            last[moving] = np.where(has_begun, last[moving], middle - 1)
            moving = moving[rows[moving] < last[moving]]
        return rows

    def said(self, name: str, rows: Places) -> pa.Array:
        """Return one column of some versions."""
        return self._versions[name].chunk(0).take(pa.array(rows))

    def histories(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], list[Device]]:
        """Return all versions of those of many devices that are known, by (tenant, device_full)."""
        rows = self._rows([*keys])
        found: dict[tuple[str, str], list[Device]] = {}
        columns = (self.said(name, rows).to_pylist() for name in COLUMNS)
        for said in zip(*columns, strict=True):
            device = Device(*said)
            found.setdefault((device.tenant, device.device_full), []).append(device)
        return found

    def among(self, keys: Iterable[tuple[str, str]]) -> Registry:
        """Return the registry of some devices as objects: each costs much to find by itself.

        Few devices send what is judged so, and the same ones again and again: these are kept.
        """
        asked = frozenset(keys)
        if self._asked is not None and self._asked[0] == asked:
            return self._asked[1]
        versions = chain.from_iterable(self.histories(asked).values())
        found = Registry(self.products.values(), versions, self.first_use)
        if len(asked) <= _MOST_KEPT:
            self._asked = asked, found
        return found

    def with_histories(self, changed: Mapping[tuple[str, str], Iterable[Device]]) -> pa.Table:
        """Return the rows of all versions once those of some devices are others."""
        kept = np.ones(self._versions.num_rows, dtype=bool)
        kept[self._rows([*changed])] = False
        rows = versions_table(version for versions in changed.values() for version in versions)
        return pa.concat_tables([self._versions.filter(pa.array(kept)), rows])

    def _rows(self, keys: Sequence[tuple[str, str]]) -> Places:
        asked = (pa.array([key[at] for key in keys], pa.string()) for at in range(2))
        first = self.find(*asked)
        first = first[first != NOBODY]
        counts = self._last[first] - first + 1
        starts = np.repeat(first - np.cumsum(counts) + counts, counts)
        rows: Places = starts + np.arange(len(starts))
        return rows

    def versions(self, tenant: str, device_full: str) -> tuple[Device, ...]:
        """Return all versions of a device in their order, none for an unknown device."""
        first = self._row(tenant, device_full)
        if first == NOBODY:
            return ()
        return tuple(self._device(row) for row in range(first, int(self._last[first]) + 1))

    def device_at(self, tenant: str, device_full: str, event_time: int) -> Device | None:
        """Return the device as it was at `event_time`, or None for an unknown device."""
        first = self._row(tenant, device_full)
        if first == NOBODY:
            return None
        at = min(max(event_time, _ALWAYS), -_ALWAYS - 1)
        return self._device(int(self.at(np.array([first]), np.array([at]))[0]))

    def _row(self, tenant: str, device_full: str) -> int:
        asked = (pa.array([word], pa.string()) for word in (tenant, device_full))
        return int(self.find(*asked)[0])

    def _device(self, row: int) -> Device:
        return Device(*(self._versions[name][row].as_py() for name in COLUMNS))

    def _are(self, rows: Places, tenants: pa.Array, names: pa.Array) -> np.ndarray:
        same = [
            pc.equal(self.said(name, rows), asked)
            for name, asked in (("tenant", tenants), ("device_full", names))
        ]
        found: np.ndarray = pc.and_(*same).to_numpy(zero_copy_only=False)
        return found

    def _searched(self, tenant: pa.Scalar, name: pa.Scalar) -> int:
        """Look through all devices for one that shares its hash with another."""
        known = self._versions
        is_it = pc.and_(pc.equal(known["tenant"], tenant), pc.equal(known["device_full"], name))
        return int(pc.index(is_it, True).as_py())

    @cached_property
    def _is_first(self) -> np.ndarray:
        count = self._versions.num_rows
        here, before = np.arange(1, count), np.arange(count - 1)
        is_first = np.ones(count, dtype=bool)
        names = (self.said(name, before) for name in ("tenant", "device_full"))
        is_first[1:] = ~self._are(here, *names)
        return is_first

    @cached_property
    def _index(self) -> _Index:
        first = np.flatnonzero(self._is_first)
        hashes = self._hashes(self.said("tenant", first), self.said("device_full", first))
        order = np.argsort(hashes, kind="stable")
        return _Index(hashes[order], first[order])

    @cached_property
    def _last(self) -> Places:
        """The row of the last version of each row's device."""
        first = np.flatnonzero(self._is_first)
        ends = np.append(first, self._versions.num_rows)[1:]
        return np.repeat(ends - 1, ends - first)

    @cached_property
    def _starts(self) -> Places:
        starts: Places = _starts(self._versions).to_numpy()
        return starts


def _hashes(tenants: pa.Array, names: pa.Array) -> np.ndarray:
    """Return 64 bits for each device, the same in one process."""
    of_tenants, of_names = hashed(*(pl.Series(values=each) for each in (tenants, names)))
    mixed: np.ndarray = of_names ^ (of_tenants * _ODD)
    return mixed


def versions_table(devices: Iterable[Device]) -> pa.Table:
    """Return the versions of devices as rows, those of a device together and in their order."""
    known = [*devices]
    columns = [[getattr(device, name) for device in known] for name in COLUMNS]
    arrays = [pa.array(said, type_) for said, type_ in zip(columns, COLUMNS.values(), strict=True)]
    return ordered(pa.table(arrays, names=[*COLUMNS]))


def ordered(versions: pa.Table) -> pa.Table:
    """Return rows of versions with those of a device together, in their order."""
    keys = versions.select(["tenant", "device_full"]).append_column("start", _starts(versions))
    places = pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in keys.column_names])
    return versions.take(places)


def _starts(versions: pa.Table) -> pa.ChunkedArray:
    """Return from when each version holds, in microseconds; the first one always did."""
    said = versions["valid_from"].cast(pa.int64())
    dated = pc.greater(said, _FIRST_US)
    return pc.if_else(dated, said, _ALWAYS).fill_null(_ALWAYS)
