"""The hot tier: silver's newest files, each read once when it is new, and let go when it is old.

A file is held by its path, and files never change, so what is held of a version is right for it:
a view of a version takes the rows of that version's files alone, whatever else is held.
"""

import logging
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from services.query.hot.files import rows_of
from services.query.hot.newest import Newest
from services.query.hot.numbering import Numbering
from services.query.hot.runs import RECORD, Run, merged, without
from services.query.hot.view import Held, Names, Place, View, Wanted, view_of
from services.query.listing import Listing, TableFiles

AT_ONCE = 4
"""Files that are read by a step; who asks waits for no more."""
log = logging.getLogger(__name__)


class Bounds(NamedTuple):
    """How much is held: bytes of memory and of disk, and minutes back from the newest file."""

    memory: int
    disk: int = 0
    folder: Path | None = None
    """Where large runs lie; None: all are in memory."""
    minutes: float = 60.0
    fan_in: int = 8
    """So many runs of one level become one of the next."""

    @property
    def room(self) -> int:
        """Return how many bytes of records may be held."""
        return self.disk if self.folder else self.memory * 3 // 4

    @property
    def large(self) -> int:
        """Return of how many bytes runs in memory become one on disk, or stay as they are."""
        return self.memory // 4


class Hot:
    """Holds the newest files of some tables; safe for several threads."""

    def __init__(self, tables: Mapping[str, TableFiles], bounds: Bounds) -> None:
        self._tables, self._bounds = tables, bounds
        self.held = Held((), {}, Numbering())
        """What is held now."""
        self._view: View | None = None
        self._refused: frozenset[Place] = frozenset()
        self._since = 0
        """Files that are no newer were let go for want of room."""
        self._number = 0
        self._newest = Newest()
        self._work, self._merging = threading.Lock(), threading.Lock()
        self.reads = 0
        """How many files were read."""

    @property
    def memory(self) -> int:
        """Return how many bytes of memory are taken."""
        held = self.held
        return held.names.memory + sum(run.memory for run in held.runs)

    def counted(self) -> dict[str, int]:
        """Return how much is held."""
        runs = self.held.runs
        return {
            "files": len(self.held.numbers),
            "rows": sum(len(run.records) for run in runs),
            "runs": len(runs),
            "bytes": self.memory,
            "reads": self.reads,
        }

    def view(
        self, listings: Mapping[str, Listing], series: Names, start_us: int, end_us: int
    ) -> View:
        """Return what is held of a version, for a question about a series in [start, end).

        New files that may have rows of it are read first: once, for all who wait for them.
        """
        mine = {name: listings[name] for name in self._tables}
        found = self._viewed(mine)
        needed = _holding(found, series, start_us, end_us)
        for each in found.missing:
            if each.place in needed:
                with self._work:
                    self._read([each])
                self._merge()
        return self._viewed(mine) if needed else found

    def _viewed(self, listings: Mapping[str, Listing]) -> View:
        found, held = self._view, self.held
        if found is None or not found.is_of(held, listings):
            self._view = found = view_of(held, listings, self._missing(held, listings))
        return found

    def newest(self, table: str, paths: Collection[str]) -> Iterator[tuple[str, pl.DataFrame]]:
        """Yield the latest rows of files of a table, as far as they were or may be held.

        What is not held yet is from now on, so each file is read once for both. Rows are yielded
        once; those that nobody asked for by then are forgotten.
        """
        asked, missing = {(table, path) for path in paths}, tuple[Wanted, ...]()
        if not asked <= self.held.numbers.keys():
            listings = {name: files.listing() for name, files in self._tables.items()}
            missing = self._missing(self.held, listings)
        unread = [each for each in missing if each.place in asked]
        for each in unread:
            with self._work:
                self._read([each])
                self._bound()
            self._merge()
            yield from self._taken(each.place)
        for place in asked.difference(each.place for each in unread):
            yield from self._taken(place)
        self._newest.forget(table)

    def _taken(self, place: Place) -> Iterator[tuple[str, pl.DataFrame]]:
        rows = self._newest.take(place)
        if rows is not None:
            yield place[1], rows

    def step(self) -> bool:
        """Follow the tables: let go, read some files, merge; say whether there are more to read."""
        listings = {name: files.listing() for name, files in self._tables.items()}
        with self._work:
            self._let_go(listings)
            missing = self._missing(self.held, listings)
            self._read(missing[:AT_ONCE])
            self._bound()
        self._merge()
        return len(missing) > AT_ONCE

    def _missing(self, held: Held, listings: Mapping[str, Listing]) -> tuple[Wanted, ...]:
        known = held.numbers.keys() | self._refused
        return tuple(each for each in self._wanted(listings) if each.place not in known)

    def _wanted(self, listings: Mapping[str, Listing]) -> list[Wanted]:
        """Return the files that should be held, the newest first."""
        found = [
            (modified, Wanted((name, path), modified), rows * RECORD.itemsize)
            for name, each in listings.items()
            for path, modified, rows in zip(each.paths, each.modified, each.rows, strict=True)
            if rows is not None
        ]
        newest = max((modified for modified, _, _ in found), default=0)
        oldest = max(newest - int(self._bounds.minutes * 60_000), self._since + 1)
        small = [each for each in found if each[0] >= oldest and each[2] <= self._bounds.large]
        small.sort(key=lambda each: -each[0])
        fits = np.cumsum([size for _, _, size in small]) <= self._bounds.room
        return [wanted for (_, wanted, _), fit in zip(small, fits, strict=True) if fit]

    def _read(self, wanted: Sequence[Wanted]) -> None:
        """Read files, and hold them."""
        for place, modified in wanted:
            held, files = self.held, self._tables[place[0]]
            if place in held.numbers or place in self._refused:
                continue
            self._number += 1
            try:
                path = f"{files.folder}/{place[1]}"
                found = rows_of(files.store, path, self._number, modified, held.names)
            except FileNotFoundError:
                continue
            self.reads += 1
            if found is None:
                self._refused |= {place}
                continue
            self._newest.put(place, found.newest)
            numbers = {**held.numbers, place: self._number}
            self.held = Held((*held.runs, found.run), numbers, held.names)

    def _let_go(self, listings: Mapping[str, Listing]) -> None:
        """Forget files that are no more, and runs of which nothing is wanted."""
        held = self.held
        there = {(name, path) for name, each in listings.items() for path in each.paths}
        self._refused &= there
        gone = frozenset(number for place, number in held.numbers.items() if place not in there)
        wanted = {held.numbers.get(each.place) for each in self._wanted(listings)}
        kept = []
        for run in held.runs:
            if run.files & wanted - gone:
                kept.append(without(run, gone, self._bounds.folder) if run.files & gone else run)
        self._hold(kept)

    def _merge(self) -> None:
        """Merge runs of few files into runs of more; nobody waits for it, and one does it."""
        if not self._merging.acquire(blocking=False):
            return
        try:
            while group := self._group():
                made = self._made(group)
                with self._work:
                    self._replace(group, made)
        finally:
            self._merging.release()

    def _group(self) -> list[Run]:
        """Return runs in memory that should become one; none, if there are no such."""
        bounds, levels = self._bounds, dict[int, list[Run]]()
        for run in sorted(self.held.runs, key=lambda run: run.newest):
            if not run.is_spilled:
                levels.setdefault(run.level, []).append(run)
        for level, runs in sorted(levels.items()):
            is_large = sum(run.memory for run in runs) >= bounds.large
            if level and is_large and bounds.folder:
                return runs
            if len(runs) >= bounds.fan_in and not (level and is_large):
                return runs[: bounds.fan_in]
        return []

    def _made(self, runs: Sequence[Run]) -> Run | None:
        """Return some runs as one, on disk if it is large; None if there is no room."""
        made, folder = merged(runs), self._bounds.folder
        if not folder or not runs[0].level or made.memory < self._bounds.large:
            return made
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return made.spilled(folder)
        except OSError:
            log.exception("no room on disk for the newest readings: fewer of them are held")
            return None

    def _replace(self, runs: Sequence[Run], made: Run | None) -> None:
        """Hold one in the place of some, unless what they hold was let go meanwhile."""
        others = [run for run in self.held.runs if run not in runs]
        if len(others) + len(runs) > len(self.held.runs):
            return
        if made is None:
            self._since = max(run.newest for run in runs)
        self._hold([*others, *([made] if made else [])])
        self._bound()

    def _bound(self) -> None:
        """Let go of the oldest runs while all together take too much memory."""
        if self.held.names.memory > self._bounds.memory // 2:
            self._since = max((run.newest for run in self.held.runs), default=0)
            self.held = Held((), {}, Numbering())
        while self.memory > self._bounds.memory and self.held.runs:
            oldest = min(self.held.runs, key=lambda run: run.newest)
            self._since = oldest.newest
            self._hold([run for run in self.held.runs if run is not oldest])

    def _hold(self, runs: list[Run]) -> None:
        """Hold these runs, and the files that they are of."""
        held = self.held
        if len(runs) == len(held.runs) and all(
            a is b for a, b in zip(runs, held.runs, strict=True)
        ):
            return
        files = frozenset[int]().union(*(run.files for run in runs))
        numbers = {place: number for place, number in held.numbers.items() if number in files}
        self.held = Held(tuple(runs), numbers, held.names)


def _holding(view: View, series: Names, start_us: int, end_us: int) -> set[Place]:
    """Return the files that are missing and may have rows of a series."""
    missing = {each.place for each in view.missing}
    return {
        (name, path)
        for name, listing in view.cold.items()
        for path in (listing.holding(*series[1:], start_us, end_us) if missing else ())
        if (name, path) in missing
    }
