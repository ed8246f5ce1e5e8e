"""What a detector remembers of each series: causal filters over a matrix, a series a row."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Bytes = NDArray[np.uint8]
Floats = TypeVar("Floats", np.float32, np.float64)


class Memory:
    """Hands each filter its own column of the state, in the order of the calls.

    The state is changed in place. Every filter walks a row from left to right with nothing but
    sums, products and comparisons, so the same readings give the same bits however they are cut
    into batches.
    """

    def __init__(self, state: Matrix) -> None:
        self._state = state
        self._next = 0

    @property
    def used(self) -> int:
        """How many columns of the state were handed out."""
        return self._next

    def _column(self) -> Matrix:
        column = self._state[:, self._next : self._next + 1]
        self._next += 1
        return column

    def count(self, like: Matrix) -> Matrix:
        """Return how many readings of the series came before each one."""
        column = self._column()
        counted = column + np.arange(like.shape[1], dtype=np.float64)
        column += like.shape[1]
        return counted

    def first(self, values: Matrix, before: Matrix) -> Matrix:
        """Return the series' first value, where `before` counts earlier readings."""
        column = self._column()
        column[:] = np.where(before[:, :1] == 0, values[:, :1], column)
        return column.copy()

    def previous(self, values: Matrix) -> Matrix:
        """Return the value before each one; 0 before the first."""
        column = self._column()
        shifted = np.concatenate([column, values[:, :-1]], axis=1)
        column[:] = values[:, -1:]
        return shifted

    def most(self, values: Matrix) -> Matrix:
        """Return the greatest value up to each one; never below 0."""
        column = self._column()
        found = np.maximum.accumulate(np.concatenate([column, values], axis=1), axis=1)[:, 1:]
        column[:] = found[:, -1:]
        return found

    def least(self, values: Matrix, before: Matrix) -> Matrix:
        """Return the least value up to each one, where `before` counts earlier readings."""
        column = self._column()
        first = np.where(before[:, :1] == 0, np.inf, column)
        found = np.minimum.accumulate(np.concatenate([first, values], axis=1), axis=1)[:, 1:]
        column[:] = found[:, -1:]
        return found

    def mean(self, values: Matrix, rate: float) -> Matrix:
        """Return the exponentially weighted mean up to each value."""
        total = self.weighted(values, rate)
        return total / self.weighted(np.ones_like(values), rate)

    def sum(self, values: Matrix) -> Matrix:
        """Return the running sum."""
        return self._recursion(values, 1.0, 1.0)

    def weighted(self, values: Matrix, rate: float) -> Matrix:
        """Return the exponentially weighted sum: s ← s + rate (value - s), from 0."""
        return self._recursion(values, rate, 1.0 - rate)

    def _recursion(self, values: Matrix, gain: float, kept: float) -> Matrix:
        column = self._column()
        found, left = _filtered(values, np.float64(gain), np.float64(kept), column)
        column[:] = left
        return found


def weighted_before(
    values: NDArray[np.float32], rate: float, sums: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the exponentially weighted sum before each value; `sums`, a column, moves on."""
    last = sums.copy()
    gain, kept = np.float32(rate), np.float32(1.0 - rate)
    found, _ = _filtered(values, gain, kept, kept * last)
    sums[:] = found[:, -1:]
    return np.concatenate([last, found[:, :-1]], axis=1)


def _filtered(
    values: NDArray[Floats], gain: Floats, kept: Floats, state: NDArray[Floats]
) -> tuple[NDArray[Floats], NDArray[Floats]]:
    """Return s ← kept s + gain value along each row, and what the filter goes on from."""
    # Takes 0.9 s of CPU to load, a third of what the streams' driver does; many rules do without.
    from scipy.signal import lfilter

    one = values.dtype.type(1.0)
    found, left = lfilter(np.array([gain]), np.array([one, -kept]), values, axis=1, zi=state)
    return np.asarray(found), np.asarray(left)
