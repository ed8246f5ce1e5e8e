"""Marks of keys that do not count upwards, the oldest forgotten by the hundred thousand."""

from array import array
from collections import deque
from collections.abc import Iterable

GENERATION = 100_000


class Generations:
    """Marks, 64 bits each, in the order in which they came.

    One leaves when it is among the oldest and `remembered` are there, at no time of any clock: of
    one that is ahead for a moment all would be older than any horizon.
    """

    def __init__(self, *, remembered: int) -> None:
        self._remembered = remembered
        self._all: deque[set[int]] = deque()

    def add(self, mark: int) -> bool:
        """Add a mark; return False if it was there."""
        generations = self._all
        if any(mark in generation for generation in generations):
            return False
        if not generations or len(generations[-1]) >= GENERATION:
            generations.append(set())
            while (len(generations) - 1) * GENERATION > self._remembered:
                generations.popleft()
        generations[-1].add(mark)
        return True

    def packed(self) -> list[bytes]:
        """Return the marks of each generation."""
        return [array("q", each).tobytes() for each in self._all]

    def unpack(self, packed: Iterable[bytes]) -> None:
        """Take up generations at rest."""
        for marks in packed:
            of_generation = array("q")
            of_generation.frombytes(marks)
            self._all.append(set(of_generation))
