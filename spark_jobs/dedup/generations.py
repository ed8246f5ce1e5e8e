"""Marks of keys that do not count upwards, the oldest forgotten by the hundred thousand."""

from array import array
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

GENERATION = 100_000


@dataclass(slots=True)
class _Generation:
    newest: int
    marks: set[int] = field(default_factory=set)


class Generations:
    """Marks, 64 bits each, by the time that their messages were received, in microseconds.

    One leaves when it is among the oldest and `remembered` are there, or its generation's newest
    message is older than the horizon.
    """

    def __init__(self, *, remembered: int, horizon_us: int | None) -> None:
        self._remembered = remembered
        self.horizon_us = horizon_us
        self._all: deque[_Generation] = deque()

    def add(self, mark: int, received_at: int) -> bool:
        """Add a mark; return False if it was there."""
        generations = self._all
        if any(mark in generation.marks for generation in generations):
            return False
        if not generations or len(generations[-1].marks) >= GENERATION:
            generations.append(_Generation(received_at))
            self._forget(received_at)
        generations[-1].marks.add(mark)
        generations[-1].newest = max(generations[-1].newest, received_at)
        return True

    def _forget(self, now: int) -> None:
        generations = self._all
        while len(generations) > 1 and (
            (len(generations) - 1) * GENERATION > self._remembered
            or (self.horizon_us is not None and generations[0].newest < now - self.horizon_us)
        ):
            generations.popleft()

    def packed(self) -> list[tuple[int, bytes]]:
        """Return the newest message and the marks of each generation."""
        return [(each.newest, array("q", each.marks).tobytes()) for each in self._all]

    def unpack(self, packed: Iterable[tuple[int, bytes]]) -> None:
        """Take up generations at rest."""
        for newest, marks in packed:
            of_generation = array("q")
            of_generation.frombytes(marks)
            self._all.append(_Generation(newest, set(of_generation)))
