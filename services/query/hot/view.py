"""What is held of one version of the tables, and which of their files are not held."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from services.query.hot.numbering import Numbering
from services.query.hot.runs import NUMBER, TEXT, TRUTH, Records, Run
from services.query.listing import Listing

Place = tuple[str, str]
"""A table's name, and a file's path in it."""
Names = tuple[str, str, str]
"""Tenant, device and metric."""


class Wanted(NamedTuple):
    """A file that should be held, and when it was written."""

    place: Place
    modified: int


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """The runs, and the number of each file that they hold; replaced as a whole."""

    runs: tuple[Run, ...]
    numbers: Mapping[Place, int]
    names: Numbering


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """The rows that are held of one version's files, and the listings of those that are not."""

    held: Held
    listings: Mapping[str, Listing]
    runs: tuple[tuple[Run, np.ndarray | None], ...]
    """Each with the files of this version, None: all of its own."""
    cold: Mapping[str, Listing]
    missing: tuple[Wanted, ...]
    """Files that are not held and should be."""

    def is_of(self, held: Held, listings: Mapping[str, Listing]) -> bool:
        """Say whether it shows these."""
        return held is self.held and all(
            listings[name] is listing for name, listing in self.listings.items()
        )

    def files(self, series: Names, start_us: int, end_us: int) -> tuple[int, ...]:
        """Return the numbers of files that have rows of a series in [start, end)."""
        found = [records["file"] for _, records in self._records(series, start_us, end_us)]
        return tuple(np.unique(np.concatenate(found)).tolist()) if found else ()

    def rows(self, series: Names, start_us: int, end_us: int) -> list[pa.Table]:
        """Return the rows of a series in [start, end), as files have them."""
        found = self._records(series, start_us, end_us)
        return [as_table(records, run.words) for run, records in found]

    def _records(self, series: Names, start_us: int, end_us: int) -> Iterator[tuple[Run, Records]]:
        number = self.held.names.series(*series)
        if number is None:
            return
        for run, files in self.runs:
            records = run.of(number, start_us, end_us)
            if files is not None:
                records = records[np.isin(records["file"], files)]
            if len(records):
                yield run, records


def view_of(held: Held, listings: Mapping[str, Listing], missing: tuple[Wanted, ...] = ()) -> View:
    """Return what is held of the files in some listings."""
    current, cold = set[int](), dict[str, Listing]()
    for name, listing in listings.items():
        numbers = [held.numbers.get((name, path)) for path in listing.paths]
        current.update(number for number in numbers if number is not None)
        cold[name] = listing.at([n for n, number in enumerate(numbers) if number is None])
    runs = [(run, _those(run, current)) for run in held.runs if run.files & current]
    return View(held, listings, tuple(runs), cold, missing)


def _those(run: Run, current: set[int]) -> np.ndarray | None:
    return None if run.files <= current else np.array(sorted(run.files & current), np.uint32)


def as_table(records: Records, words: pa.Array) -> pa.Table:
    """Return records as rows of readings."""
    kinds, values = records["kind"], np.ascontiguousarray(records["value"])
    count = len(records)
    texts, truths = pa.nulls(count, pa.string()), pa.nulls(count, pa.bool_())
    if (is_other := kinds != TEXT).sum() < count:
        texts = words.take(pa.array(values, mask=is_other).cast(pa.int64(), safe=False))
    if (is_other := kinds != TRUTH).sum() < count:
        truths = pa.array(values == 1.0, mask=is_other)
    return pa.table(
        {
            "event_time_us": np.ascontiguousarray(records["time"]),
            "boot": words.take(pa.array(np.ascontiguousarray(records["boot"]))),
            "seq": np.ascontiguousarray(records["seq"]),
            "value": pa.array(values, mask=kinds != NUMBER),
            "value_text": texts,
            "value_bool": truths,
        }
    )
