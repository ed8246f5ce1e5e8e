"""Which numbers of each boot are there: 25 bytes for a boot that counts without a gap."""

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

import numpy as np

from spark_jobs.dedup.intervals import Intervals

FEWEST = 256
"""Fewer boots that are new are kept by themselves until they are folded."""
_MOVED = -1
_MANY = 2**61
Flags = np.ndarray


class PackedBoots(NamedTuple):
    """Boots at rest: marks, first and last numbers of those without gaps; intervals of others."""

    marks: bytes = b""
    first: bytes = b""
    last: bytes = b""
    others: tuple[tuple[int, bytes], ...] = ()


class Boots:
    """Sets of numbers from 0 to 2**63 - 1, by the 64-bit mark of a boot.

    Those of one interval stand in columns, ordered by mark, and are asked for many at a time; all
    others are `Intervals`. A row in the columns that became one of the others is moved.
    """

    def __init__(self, *, fewest: int = FEWEST) -> None:
        self._fewest = fewest
        self._marks = np.zeros(0, dtype=np.uint64)
        self._first, self._last = (np.zeros(0, dtype=np.int64) for _ in range(2))
        self._is_heard = np.zeros(0, dtype=bool)
        self._others: dict[int, Intervals] = {}
        self._heard: set[int] = set()

    def __len__(self) -> int:
        """Return how many boots there are."""
        return int(np.count_nonzero(self._first != _MOVED)) + len(self._others)

    def add_runs(self, marks: np.ndarray, first: np.ndarray, last: np.ndarray) -> Flags:
        """Take up runs of numbers, of any boots; tell which were new as a whole, and only these."""
        order = np.argsort(marks, kind="stable")
        is_new = np.zeros(len(marks), dtype=bool)
        is_new[order] = self._add_ordered(marks[order], first[order], last[order])
        return is_new

    def _add_ordered(self, marks: np.ndarray, first: np.ndarray, last: np.ndarray) -> Flags:
        at, is_known = self._rows(marks)
        self._is_heard[at[is_known]] = True
        is_once = _is_once(marks)
        follows = is_known & is_once
        rows = at[follows]
        follows[follows] = (self._first[rows] != _MOVED) & (self._last[rows] == first[follows] - 1)
        self._last[at[follows]] = last[follows]
        is_fresh = ~is_known & is_once & ~self._is_other(marks)
        if np.count_nonzero(is_fresh) >= self._fewest:
            self._insert(marks[is_fresh], first[is_fresh], last[is_fresh])
        else:
            is_fresh[:] = False
        is_new: Flags = follows | is_fresh
        for place in np.flatnonzero(~is_new).tolist():
            run = int(first[place]), int(last[place])
            is_new[place] = self.add_run(int(marks[place]), *run)
        return is_new

    def add_run(self, mark: int, first: int, last: int) -> bool:
        """Take up the numbers of a boot; return False, having taken up none, if one was there."""
        row = self._row(mark)
        if row is not None and (known := self._in_row(row)):
            self._is_heard[row] = True
            if first == known[1] + 1:
                self._last[row] = last
                return True
            if first <= known[1] and last >= known[0]:
                return False
        intervals = self._other(mark, row)
        if not intervals:
            self._others[mark] = Intervals([(first, last)])
            return True
        return intervals.add_run(first, last)

    def merge(self, mark: int, ranges: Iterable[tuple[int, int]]) -> None:
        """Take up numbers of a boot as (first, last), which may be there."""
        intervals = self._other(mark, self._row(mark)) or self._others.setdefault(mark, Intervals())
        intervals.merge(ranges)

    def pop(self, mark: int) -> list[tuple[int, int]]:
        """Forget a boot; return its numbers as (first, last)."""
        intervals = self._other(mark, self._row(mark))
        self._others.pop(mark, None)
        return intervals.ranges() if intervals else []

    def lowest(self, mark: int) -> range:
        """Return the lowest run of a boot's numbers."""
        row = self._row(mark)
        if row is not None and (known := self._in_row(row)):
            return range(known[0], known[1] + 1)
        intervals = self._others.get(mark)
        return intervals.lowest if intervals else range(0)

    def fold(self) -> None:
        """Bring what has one interval into the columns, and drop the rows that moved."""
        single = [(mark, each) for mark, each in self._others.items() if len(each) == 1]
        self._keep(self._first != _MOVED)
        for mark, _ in single:
            del self._others[mark]
        ranges = [each.ranges()[0] for _, each in single]
        marks = np.array([mark for mark, _ in single], dtype=np.uint64)
        first, last = np.array(ranges, dtype=np.int64).reshape(-1, 2).T
        order = np.argsort(marks)
        is_heard = np.array([mark in self._heard for mark, _ in single], dtype=bool)
        self._insert(marks[order], first[order], last[order], is_heard[order])
        self._heard &= self._others.keys()

    def close(self, room: int, room_of_one: int) -> list[int]:
        """Close the lowest gaps of those with most, where there is no room; return whose."""
        counts = np.fromiter(map(len, self._others.values()), np.int64, len(self._others))
        single = len(self) - len(counts)
        if single + counts.sum() <= room and counts.max(initial=0) <= room_of_one:
            return []
        kept = _fair_share(counts, single, room // 2, room_of_one // 2)
        closed = [mark for mark, each in self._others.items() if len(each) > kept]
        for mark in closed:
            self._others[mark].close(kept)
        return closed

    def forget_silent(self) -> int:
        """Forget who was not heard since this was called last; return how many."""
        before = len(self)
        self._others = {mark: each for mark, each in self._others.items() if mark in self._heard}
        self._keep(self._is_heard)
        self._is_heard[:], self._heard = False, set()
        return before - len(self)

    def forget_beyond(self, most: int) -> int:
        """Forget what is too many, those first that were silent since, or have fewest numbers.

        Return how many.
        """
        before = len(self)
        if before <= most:
            return 0
        self.fold()
        # What has gaps stays as long as there is room: it has many numbers.
        kept = max(0, most - len(self._others))
        count = np.minimum(self._last - self._first, _MANY)
        worth = np.where(self._is_heard, count + _MANY, count)
        at = np.argpartition(-worth, kept)[:kept] if kept < len(worth) else slice(None)
        is_kept = np.zeros(len(worth), dtype=bool)
        is_kept[at] = True
        self._keep(is_kept)
        self._others = dict(islice(self._others.items(), most))
        return before - len(self)

    def packed(self) -> PackedBoots:
        """Return all boots."""
        is_here = self._first != _MOVED
        marks, first, last = (
            column[is_here].tobytes() for column in (self._marks, self._first, self._last)
        )
        others = tuple((mark, each.to_bytes()) for mark, each in self._others.items())
        return PackedBoots(marks, first, last, others)

    def unpack(self, packed: PackedBoots) -> None:
        """Take the place of boots at rest; all of them count as heard."""
        self._marks = np.frombuffer(packed.marks, dtype=np.uint64).copy()
        self._first, self._last = (
            np.frombuffer(each, dtype=np.int64).copy() for each in (packed.first, packed.last)
        )
        self._is_heard = np.ones(len(self._marks), dtype=bool)
        self._others = {mark: Intervals.from_bytes(bounds) for mark, bounds in packed.others}
        self._heard = {*self._others}

    def _rows(self, marks: np.ndarray) -> tuple[np.ndarray, Flags]:
        """Return the row of each mark, and which of them are there."""
        if not len(self._marks):
            return np.zeros(len(marks), dtype=np.int64), np.zeros(len(marks), dtype=bool)
        at = np.minimum(np.searchsorted(self._marks, marks), len(self._marks) - 1)
        return at, self._marks[at] == marks

    def _row(self, mark: int) -> int | None:
        row = int(self._marks.searchsorted(np.uint64(mark)))
        return row if row < len(self._marks) and self._marks[row] == mark else None

    def _in_row(self, row: int) -> tuple[int, int] | None:
        first, last = int(self._first[row]), int(self._last[row])
        return None if first == _MOVED else (first, last)

    def _is_other(self, marks: np.ndarray) -> Flags:
        if not self._others:
            return np.zeros(len(marks), dtype=bool)
        return np.fromiter((mark in self._others for mark in marks.tolist()), bool, len(marks))

    def _other(self, mark: int, row: int | None) -> Intervals | None:
        """Return the intervals of a boot, from now on one of the others."""
        self._heard.add(mark)
        if row is not None and (known := self._in_row(row)):
            self._others[mark] = Intervals([known])
            self._first[row] = _MOVED
        return self._others.get(mark)

    def _insert(
        self, marks: np.ndarray, first: np.ndarray, last: np.ndarray, is_heard: Flags | None = None
    ) -> None:
        at = np.searchsorted(self._marks, marks)
        self._marks = np.insert(self._marks, at, marks)
        self._first = np.insert(self._first, at, first)
        self._last = np.insert(self._last, at, last)
        self._is_heard = np.insert(self._is_heard, at, True if is_heard is None else is_heard)

    def _keep(self, kept: Flags) -> None:
        self._marks, self._first = self._marks[kept], self._first[kept]
        self._last, self._is_heard = self._last[kept], self._is_heard[kept]


def _is_once(marks: np.ndarray) -> Flags:
    """Tell which of marks in ascending order come only once."""
    is_same = marks[1:] == marks[:-1]
    is_once = np.ones(len(marks), dtype=bool)
    is_once[1:] &= ~is_same
    is_once[:-1] &= ~is_same
    return is_once


def _fair_share(counts: np.ndarray, single: int, room: int, room_of_one: int) -> int:
    """Return how many of each fit into the room, to a power of two; one at least."""
    share = room_of_one
    while share > 1 and single + np.minimum(counts, share).sum() > room:
        share //= 2
    return share
