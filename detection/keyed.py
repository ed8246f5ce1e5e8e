"""State by key: each series' readings meet what the detector remembers of it."""

from collections.abc import Callable, Hashable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from detection.memory import Bytes, Matrix

Step = Callable[[Matrix, Bytes], Matrix]
"""Values and states, a series a row, to scores; the states are changed in place."""


class KeyedStates:
    """The states of all series seen, a row of bytes each."""

    def __init__(self, width: int) -> None:
        self._rows: dict[Hashable, int] = {}
        self._states = np.zeros((8, width), np.uint8)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def keys(self) -> list[Hashable]:
        """The series, in the order of their rows."""
        return list(self._rows)

    @property
    def states(self) -> Bytes:
        """The rows in use."""
        return self._states[: len(self._rows)]

    @classmethod
    def of(cls, keys: Sequence[Hashable], states: Bytes) -> "KeyedStates":
        """Return states as they were saved."""
        found = cls(states.shape[1])
        found._rows = {key: row for row, key in enumerate(keys)}
        found._states = states.copy() if len(states) else found._states
        return found

    def rows_of(self, keys: Sequence[Hashable]) -> NDArray[np.intp]:
        """Return the row of each key; a new one gets a row of zeros."""
        rows = self._rows
        found = np.array([rows.setdefault(key, len(rows)) for key in keys], dtype=np.intp)
        missing = len(rows) - len(self._states)
        if missing > 0:
            grown = np.zeros((max(missing, len(self._states)), self._states.shape[1]), np.uint8)
            self._states = np.concatenate([self._states, grown])
        return found

    def score(self, rows: NDArray[np.intp], values: NDArray[np.float64], step: Step) -> Matrix:
        """Score readings in the order in which they stand; `rows` says whose each one is."""
        scores = np.zeros(len(values))
        for found, cells in blocks(rows):
            states = self._states[found]
            scores[cells] = step(values[cells], states)
            self._states[found] = states
        return scores


def blocks(rows: NDArray[np.intp]) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Yield series with as many readings as each other, and these readings' places, one a row.

    `rows` says whose each reading is. So readings make matrices without holes, each series' in the
    order in which they stand.
    """
    order = np.argsort(rows, kind="stable")
    found, starts, counts = np.unique(rows[order], return_index=True, return_counts=True)
    for count in np.unique(counts):
        alike = np.flatnonzero(counts == count)
        yield found[alike], order[starts[alike][:, None] + np.arange(count)]
