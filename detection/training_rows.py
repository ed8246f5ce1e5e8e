"""The rows that teach a rig, a byte a cell."""

import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from detection.memory import Matrix

MOST_BYTES = 410
"""Of a metric's cells, with a share of what a device takes besides."""
_BESIDE = 62
_HEAD = struct.Struct("<II")
_MOST_STEPS = 127
_DIGITS = 7
_NOTHING = -1000


def most_rows(metrics: int) -> int:
    """Return how many rows of so many metrics are kept: of more, as evenly as may be."""
    return MOST_BYTES - -(-_BESIDE // metrics)


class TrainingRows:
    """A device's first rows: each cell is as many steps of its metric away from the first row.

    A metric's step is a power of two that widens with what is met, so a cell is wrong by at most
    half of a 127th of the greatest distance from the first row.
    """

    def __init__(self, wanted: int, metrics: int) -> None:
        self.wanted = wanted
        self.seen = 0
        self._widened_at = 0
        """How many rows had been seen when a step widened last."""
        self._kept = min(wanted, most_rows(metrics))
        self._metrics = metrics
        self._first: NDArray[np.float32] = np.zeros(metrics, np.float32)
        self._power: NDArray[np.int16] = np.full(metrics, _NOTHING, np.int16)
        self._cells: NDArray[np.int8] = np.zeros((0, metrics), np.int8)

    @property
    def missing(self) -> int:
        """How many rows are yet to be seen."""
        return max(self.wanted - self.seen, 0)

    @property
    def stride(self) -> float:
        """How many rows there were for each that is kept."""
        return self.wanted / self._kept

    def add(self, rows: Matrix) -> None:
        """Take up rows."""
        for row in rows:
            place = self._place(self.seen)
            is_kept = self._place(self.seen + 1) > place
            self.seen += 1
            if is_kept:
                self._put(place, row)

    def _place(self, seen: int) -> int:
        return seen * self._kept // self.wanted

    def _put(self, place: int, row: NDArray[np.float64]) -> None:
        if place == 0:
            self._first = row.astype(np.float32)
            self._cells = np.zeros((self._kept, self._metrics), np.int8)
        away = row - self._first
        for metric in np.flatnonzero(_steps(away, self._power) > _MOST_STEPS).tolist():
            self._widen(metric, float(away[metric]))
        self._cells[place] = np.where(away == 0, 0, np.rint(np.ldexp(away, -self._powers)))

    @property
    def _powers(self) -> NDArray[np.intp]:
        return self._power.astype(np.intp)

    def _widen(self, metric: int, away: float) -> None:
        power = int(np.frexp(away)[1]) - _DIGITS
        power += bool(_steps(np.array([away]), np.array([power])) > _MOST_STEPS)
        narrower = np.ldexp(self._cells[:, metric].astype(np.float64), self._power[metric] - power)
        self._cells[:, metric] = np.rint(narrower)
        self._power[metric] = power
        self._widened_at = self.seen

    def rows(self) -> Matrix:
        """Return the rows that are kept."""
        cells = self._cells[: self._place(min(self.seen, self.wanted))].astype(np.float64)
        return np.asarray(self._first + np.ldexp(cells, self._powers))

    def to_bytes(self, told: int = 0) -> bytes:
        """Return what has changed since so many rows were seen; all of it since none was."""
        begin = self._place(told) if told > self._widened_at else 0
        cells = self._cells[begin : self._place(self.seen)]
        head = _HEAD.pack(self.seen, begin)
        return b"".join([head, *(each.tobytes() for each in (self._first, self._power, cells))])

    def take_up(self, content: bytes) -> int:
        """Go on from what `to_bytes` gave, at the head of some bytes; return how long that was."""
        self.seen, begin = map(int, _HEAD.unpack_from(content))
        metrics, rows = self._metrics, self._place(self.seen) - begin
        first, power, cells = _cut(content, _HEAD.size, metrics * 4, metrics * 2, metrics * rows)
        self._first = np.frombuffer(first, np.float32)
        self._power = np.frombuffer(power, np.int16).copy()
        if not len(self._cells):
            self._cells = np.zeros((self._kept, metrics), np.int8)
        new = np.frombuffer(cells, np.int8).reshape(rows, metrics)
        self._cells[begin : begin + rows] = new
        self._widened_at = self.seen
        return _HEAD.size + metrics * (6 + rows)


def _steps(away: NDArray[np.float64], power: NDArray[np.int16]) -> NDArray[np.float64]:
    # So far beyond a step that has not widened yet that it fits no double.
    with np.errstate(over="ignore"):
        return np.rint(np.ldexp(np.abs(away), -power.astype(np.intp)))


def _cut(content: bytes, start: int, *lengths: int) -> Iterator[bytes]:
    for length in lengths:
        yield content[start : start + length]
        start += length
