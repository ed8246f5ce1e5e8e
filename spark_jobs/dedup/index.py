"""Which keys silver holds: exact for counted messages, by generations for hashed ones."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from spark_jobs.dedup.intervals import Intervals

Key: TypeAlias = tuple[str, str, str, int]
"""(tenant, device_full, boot, seq)"""
HASHED = "h:"
UNIQUE = "k:"
GENERATION = 100_000


@dataclass(slots=True)
class _Generation:
    newest: int
    hashes: set[int] = field(default_factory=set)


class KeyIndex:
    """Membership of keys. It may say yes to a key that silver lacks, never no to one it holds.

    Only a hashed key leaves it: when it is among the oldest and `remembered` are there, or its
    generation's newest message is older than the horizon.
    """

    def __init__(self, *, remembered: int, horizon_us: int | None) -> None:
        self._remembered = remembered
        self._horizon_us = horizon_us
        self._counted: dict[tuple[str, str, str], Intervals] = {}
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
            return self._add_hashed(hash(key), received_at)
        self._counted[tenant, device_full, boot] = Intervals([(seq, seq)])
        return True

    def _add_hashed(self, mark: int, received_at: int) -> bool:
        generations = self._generations
        if any(mark in generation.hashes for generation in generations):
            return False
        if not generations or len(generations[-1].hashes) >= GENERATION:
            generations.append(_Generation(received_at))
            self._forget(received_at)
        generations[-1].hashes.add(mark)
        generations[-1].newest = max(generations[-1].newest, received_at)
        return True

    def _forget(self, now: int) -> None:
        generations = self._generations
        while len(generations) > 1 and (
            (len(generations) - 1) * GENERATION > self._remembered
            or (self._horizon_us is not None and generations[0].newest < now - self._horizon_us)
        ):
            generations.popleft()

    def load(self, stream: tuple[str, str, str], ranges: Iterable[tuple[int, int]]) -> None:
        """Take up all of one boot's numbers at once, as disjoint ascending (first, last)."""
        self._counted[stream] = Intervals(ranges)
