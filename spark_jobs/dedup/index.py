"""Which keys silver holds: exact for counted messages, by generations for hashed ones."""

from array import array
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple, TypeAlias

from spark_jobs.dedup.intervals import Intervals

Key: TypeAlias = tuple[str, str, str, int]
"""(tenant, device_full, boot, seq)"""
Boot: TypeAlias = tuple[str, str, str]
"""(tenant, device_full, boot)"""
HASHED = "h:"
UNIQUE = "k:"
UNCOUNTED = (HASHED, UNIQUE)
GENERATION = 100_000


@dataclass(slots=True)
class _Generation:
    newest: int
    marks: set[int] = field(default_factory=set)


class PackedIndex(NamedTuple):
    """An index at rest: intervals of each boot; newest message and marks of each generation."""

    counted: list[tuple[str, str, str, bytes]]
    hashed: list[tuple[int, bytes]]


class KeyIndex:
    """Membership of keys. It may say yes to a key that silver lacks, never no to one it holds.

    Only a hashed key leaves it: when it is among the oldest and `remembered` are there, or its
    generation's newest message is older than the horizon.
    """

    def __init__(self, *, remembered: int, horizon_us: int | None) -> None:
        self._remembered = remembered
        self._horizon_us = horizon_us
        self._counted: dict[Boot, Intervals] = {}
        self._generations: deque[_Generation] = deque()

    def add(self, key: Key, received_at: int) -> bool:
        """Take a key up; return False if it was there. Keys unique by construction need no room."""
        tenant, device_full, boot, seq = key
        intervals = self._counted.get((tenant, device_full, boot))
        if intervals is not None:
            return intervals.add(seq)
        if boot.startswith(UNIQUE):
            return True
        if boot.startswith(HASHED):
            return self._add_hashed(_mark(key), received_at)
        self._counted[tenant, device_full, boot] = Intervals([(seq, seq)])
        return True

    def add_run(self, boot: Boot, first: int, last: int) -> bool:
        """Take up the numbers from `first` to `last` of a boot that counts.

        Return False, having taken up none, if one of them was there.
        """
        intervals = self._counted.get(boot)
        if intervals is not None:
            return intervals.add_run(first, last)
        self._counted[boot] = Intervals([(first, last)])
        return True

    def _add_hashed(self, mark: int, received_at: int) -> bool:
        generations = self._generations
        if any(mark in generation.marks for generation in generations):
            return False
        if not generations or len(generations[-1].marks) >= GENERATION:
            generations.append(_Generation(received_at))
            self._forget(received_at)
        generations[-1].marks.add(mark)
        generations[-1].newest = max(generations[-1].newest, received_at)
        return True

    def _forget(self, now: int) -> None:
        generations = self._generations
        while len(generations) > 1 and (
            (len(generations) - 1) * GENERATION > self._remembered
            or (self._horizon_us is not None and generations[0].newest < now - self._horizon_us)
        ):
            generations.popleft()

    def merge(self, boot: Boot, ranges: Iterable[tuple[int, int]]) -> None:
        """Take up many numbers of one boot, as (first, last)."""
        self._counted.setdefault(boot, Intervals()).merge(ranges)

    def packed(self) -> PackedIndex:
        """Return all that it holds."""
        return PackedIndex(
            [(*boot, intervals.to_bytes()) for boot, intervals in self._counted.items()],
            [(each.newest, array("q", each.marks).tobytes()) for each in self._generations],
        )

    def unpack(self, packed: PackedIndex) -> None:
        """Take the place of an index at rest."""
        self._counted = {
            (tenant, device_full, boot): Intervals.from_bytes(bounds)
            for tenant, device_full, boot, bounds in packed.counted
        }
        for newest, marks in packed.hashed:
            of_generation = array("q")
            of_generation.frombytes(marks)
            self._generations.append(_Generation(newest, set(of_generation)))


def _mark(key: Key) -> int:
    """Return 64 bits that stand for a hashed key, the same in every process."""
    whole = "\0".join(key[:3]).encode()
    return int.from_bytes(blake2b(whole, digest_size=8).digest(), "big", signed=True)
