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

    def __contains__(self, key: Key) -> bool:
        tenant, device_full, boot, seq = key
        if boot.startswith(HASHED):
            mark = hash(key)
            return any(mark in generation.hashes for generation in self._generations)
        intervals = self._counted.get((tenant, device_full, boot))
        return intervals is not None and seq in intervals

    def add(self, key: Key, received_at: int) -> None:
        """Take a key up; keys that are unique by construction need no room."""
        tenant, device_full, boot, seq = key
        if boot.startswith(HASHED):
            self._add_hashed(hash(key), received_at)
        elif not boot.startswith(UNIQUE):
            stream = (tenant, device_full, boot)
            intervals = self._counted.get(stream)
            if intervals is None:
                intervals = self._counted[stream] = Intervals()
            intervals.add(seq)

    def _add_hashed(self, mark: int, received_at: int) -> None:
        generations = self._generations
        if not generations or len(generations[-1].hashes) >= GENERATION:
            generations.append(_Generation(received_at))
            self._forget(received_at)
        generations[-1].hashes.add(mark)
        generations[-1].newest = max(generations[-1].newest, received_at)

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
