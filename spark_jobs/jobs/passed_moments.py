"""Up to when all that came is taken, though more comes all the while.

A reader that others write for has hardly ever read all there is. So where the writing had come to
is noted with its moment; once the reader is there, all that had come by that moment is taken.
"""

from collections.abc import Mapping
from typing import Generic, NamedTuple, TypeVar

Place = TypeVar("Place", bound=int | str)
MOST = 600
"""Looks that wait to be passed; of more, each second one is let go, and not taken from then on."""


class _Look(NamedTuple, Generic[Place]):
    at: float
    ends: Mapping[Place, int]


class PassedMoments(Generic[Place]):
    """Looks at where each partition ended, in the order of their taking."""

    def __init__(self) -> None:
        self._looks: list[_Look[Place]] = []
        self._newest: float | None = None
        self._every, self._count = 1, 0

    def look(self, at: float, ends: Mapping[Place, int]) -> None:
        """Note where partitions ended at a moment: the offset behind the last record of each.

        `at` was read before the ends were, in seconds since 1970.
        """
        self._count += 1
        if self._count % self._every:
            return
        self._looks.append(_Look(at, dict(ends)))
        if len(self._looks) > MOST:
            del self._looks[1::2]
            self._every *= 2

    def passed(self, taken: Mapping[Place, int]) -> float | None:
        """Return the newest moment by which nothing had come that is not taken, None for none.

        `taken` has the offset of each partition's next record. A clock that is set back counts as
        it is: what was looked at last is what is returned.
        """
        for number in range(len(self._looks) - 1, -1, -1):
            at, ends = self._looks[number]
            if all(taken.get(place, 0) >= end for place, end in ends.items()):
                self._newest = at
                del self._looks[: number + 1]
                self._every = self._every if self._looks else 1
                break
        return self._newest
