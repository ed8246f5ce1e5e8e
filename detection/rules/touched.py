"""Rows of a memory that have changed since it was written down, so that only they are again."""

import numpy as np

from detection.rules.readings import Flags, Rows


class Touched:
    """A flag a row: what it costs follows the rows that are touched, a byte of each row aside."""

    def __init__(self) -> None:
        self._flags: Flags = np.zeros(0, np.bool_)

    def add(self, rows: Rows) -> None:
        """Note rows by their numbers, from 0."""
        missing = int(rows.max(initial=-1)) + 1 - len(self._flags)
        if missing > 0:
            more = np.zeros(max(missing, len(self._flags)), np.bool_)
            self._flags = np.concatenate([self._flags, more])
        self._flags[rows] = True

    def take(self) -> Rows:
        """Return the rows noted since the last call, in their order."""
        rows = np.flatnonzero(self._flags)
        self._flags[rows] = False
        return rows
