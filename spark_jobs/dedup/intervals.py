"""A set of whole numbers as intervals: a device that counts upwards costs two numbers."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable
from typing import Self


class Intervals:
    """Numbers from 0 to 2**63 - 1, kept as the sorted starts and ends of half-open intervals."""

    __slots__ = ("_bounds",)

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        """Take disjoint (first, last) in ascending order, both inclusive."""
        self._bounds = array("Q")
        for first, last in ranges:
            self._bounds.extend((first, last + 1))

    def __contains__(self, number: int) -> bool:
        return bisect_right(self._bounds, number) & 1 == 1

    def add(self, number: int) -> bool:
        """Add a number; return False if it was there."""
        return self.add_run(number, number)

    def add_run(self, first: int, last: int) -> bool:
        """Add the numbers from `first` to `last`; return False, adding none, if one was there."""
        bounds = self._bounds
        if bounds and bounds[-1] == first:
            bounds[-1] = last + 1
            return True
        place = bisect_right(bounds, first)
        if place & 1 or (place < len(bounds) and bounds[place] <= last):
            return False
        joins_left = place > 0 and bounds[place - 1] == first
        joins_right = place < len(bounds) and bounds[place] == last + 1
        start, end = place - joins_left, place + joins_right
        bounds[start:end] = array("Q", () if joins_left else (first,)) + array(
            "Q", () if joins_right else (last + 1,)
        )
        return True

    def merge(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Take up (first, last), both inclusive, which may overlap what is there."""
        bounds = array("Q")
        for first, last in sorted([*self.ranges(), *ranges]):
            if bounds and first <= bounds[-1]:
                bounds[-1] = max(bounds[-1], last + 1)
            else:
                bounds.extend((first, last + 1))
        self._bounds = bounds

    def close(self, kept: int) -> None:
        """Take up every number below the highest `kept` intervals."""
        end = len(self._bounds) - 2 * kept
        if end > 0:
            self._bounds[:end] = array("Q", (0, self._bounds[end - 1]))

    @property
    def lowest(self) -> range:
        """Return the numbers of the lowest interval."""
        return range(*self._bounds[:2]) if self._bounds else range(0)

    def __len__(self) -> int:
        """Return how many intervals there are."""
        return len(self._bounds) // 2

    def to_bytes(self) -> bytes:
        """Return what `from_bytes` reads, on this machine."""
        return self._bounds.tobytes()

    @classmethod
    def from_bytes(cls, packed: bytes) -> Self:
        """Return the set that was packed."""
        found = cls()
        found._bounds.frombytes(packed)
        return found

    def ranges(self) -> list[tuple[int, int]]:
        """Return (first, last) of each interval, both inclusive."""
        starts, ends = self._bounds[::2], self._bounds[1::2]
        return [(start, end - 1) for start, end in zip(starts, ends, strict=True)]
