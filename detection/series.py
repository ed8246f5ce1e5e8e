"""The detector of one metric: how new is what the series does, on several scales at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detection.exact import log2
from detection.memory import Bytes, Matrix, Memory

LEARNING = 150
"""Readings of a series before it may be given a score."""
_SETTLING = 50
_REST = 200
_FARTHEST = 63
_LINEAR_TO = 2.0
_LOG2_OF_E = 1.4426950408889634
_DEVIATION = 1.2533141373155003
"""Standard deviation of a normal distribution whose mean absolute deviation is 1: √(π/2)."""
_BYTES_A_MAP = 16
_LOG10_OF_2 = 0.3010299956639812
_STEP = 2048


@dataclass(frozen=True, slots=True)
class Sense:
    """One way to look at a series; rates are those of exponential weights.

    `smooth` is the rate of what is looked at (1: the reading itself), `level` of what it is held
    against.
    """

    smooth: float
    level: float


SENSES = (
    Sense(smooth=1.0, level=0.25),
    Sense(smooth=1.0, level=0.01),
    Sense(smooth=0.1, level=0.002),
    Sense(smooth=0.03, level=0.002),
)
SPREAD = 0.001
"""Rate of the mean of absolute residuals, their usual size."""
WIDTH = 0.25
"""Of a cell near zero, in units of that size."""
HALFWAY = 2.1
"""The surprise whose score is 0.5: an alarm from there on."""


class SeriesDetector:
    """Scores a reading by how seldom its series has found itself somewhere new.

    Each sense cuts its residual, in units of its usual size, into cells and keeps one bit a cell:
    been there. The cells are as wide as `WIDTH` near zero and widen with the distance (inverse
    hyperbolic sine), and a cell is entered only on the way out, so one spike leaves most of the
    map blank. A cell entered for the first time after n readings of which c were first visits
    is a surprise of -log10((c + 1) / (n + 2)); those of all senses are added as squares, since
    senses overlap. Within `_REST` readings of a surprise only a greater one counts, so that one
    event is told once.
    """

    def __init__(self, senses: tuple[Sense, ...] = SENSES, halfway: float = HALFWAY) -> None:
        self._senses = senses
        self._halfway = halfway
        values = np.zeros((1, 1))
        memory = Memory(np.zeros((1, 512)))
        self._cells(values, memory)
        self._alarm_columns = memory.used
        self._numbers = memory.used + 2
        self.state_bytes = 8 * self._numbers + _BYTES_A_MAP * len(senses)

    def step(self, values: Matrix, states: Bytes) -> Matrix:
        """Score the next readings of each series (a row each); `states` moves on in place."""
        scores = np.empty_like(values)
        for start in range(0, len(values), _STEP):
            rows = slice(start, start + _STEP)
            scores[rows] = self._step(values[rows], states[rows])
        return scores

    def _step(self, values: Matrix, states: Bytes) -> Matrix:
        numbers = states[:, : 8 * self._numbers].view(np.float64)
        before, entered = self._cells(values, Memory(numbers))
        surprise = np.zeros_like(values)
        for place, cells in enumerate(entered):
            start = 8 * self._numbers + place * _BYTES_A_MAP
            visited = states[:, start : start + _BYTES_A_MAP]
            surprise += _surprise(cells, before, visited) ** 2
        told = _told(np.sqrt(surprise), before, numbers[:, self._alarm_columns :])
        return np.asarray(told / (told + self._halfway))

    def _cells(self, values: Matrix, memory: Memory) -> tuple[Matrix, list[NDArray[np.int64]]]:
        """Return how many readings came before each, and the cell that each sense puts it in."""
        before = memory.count(values)
        centred = values - memory.first(values, before)
        means = _Means(centred, memory)
        least = 1e-6 * _Means(np.abs(centred), memory, means).at(SPREAD) + 1e-9
        found = []
        for sense in self._senses:
            looked_at = centred if sense.smooth == 1.0 else means.at(sense.smooth)
            residual = looked_at - means.before(sense.level)
            sizes = _Means(np.abs(residual), memory, means)
            usual = _DEVIATION * sizes.before(SPREAD) + least
            distance = np.where(before < _SETTLING, 0.0, residual / usual)
            outward = np.abs(distance) >= np.abs(memory.previous(distance))
            found.append(_cell(np.where(outward, distance, 0.0)))
        return before, found


def _cell(distance: Matrix) -> NDArray[np.int64]:
    """Return the number of the cell, 0 to 126; 63 is the centre's."""
    near = np.abs(distance) / _LINEAR_TO
    bent = _LINEAR_TO / _LOG2_OF_E * log2(near + np.sqrt(near * near + 1.0))
    place = np.floor(np.copysign(bent, distance) / WIDTH + 0.5)
    return np.clip(place, -_FARTHEST, _FARTHEST).astype(np.int64) + _FARTHEST


class _Means:
    """Exponentially weighted means of one row of numbers, each rate computed once."""

    def __init__(self, values: Matrix, memory: Memory, sibling: "_Means | None" = None) -> None:
        self._values = values
        self._memory = memory
        self._found: dict[float, Matrix] = {}
        self._before: dict[float, Matrix] = {}
        self._weights: dict[float, Matrix] = sibling._weights if sibling else {}

    def at(self, rate: float) -> Matrix:
        """Return the mean up to each reading."""
        if rate not in self._weights:
            self._weights[rate] = self._memory.weighted(np.ones_like(self._values), rate)
        if rate not in self._found:
            self._found[rate] = self._memory.weighted(self._values, rate) / self._weights[rate]
        return self._found[rate]

    def before(self, rate: float) -> Matrix:
        """Return the mean of what came before each reading; 0 before the first."""
        if rate not in self._before:
            self._before[rate] = self._memory.previous(self.at(rate))
        return self._before[rate]


def _surprise(cells: NDArray[np.int64], before: Matrix, visited: Bytes) -> Matrix:
    """Return the surprise of each first visit, 0 elsewhere, and remember the visits."""
    visits = np.unpackbits(visited, axis=1).sum(axis=1, keepdims=True).astype(np.float64)
    byte, bit = cells >> 3, (1 << (cells & 7)).astype(np.uint8)
    series = np.arange(len(cells))[:, None]
    unseen = np.flatnonzero((visited[series, byte] & bit) == 0)
    row = unseen // cells.shape[1]
    _, first = np.unique(row * 1024 + cells.ravel()[unseen], return_index=True)
    fresh = np.zeros(cells.shape)
    fresh.ravel()[unseen[first]] = 1.0
    place = np.nonzero(fresh)
    np.bitwise_or.at(visited, (place[0], byte[place]), bit[place])
    earlier = visits + np.cumsum(fresh, axis=1) - fresh
    surprise = np.zeros(cells.shape)
    seldom = log2(before[place] + 2.0) - log2(earlier[place] + 1.0)
    surprise[place] = np.where(before[place] < LEARNING, 0.0, _LOG10_OF_2 * seldom)
    return surprise


def _told(surprise: Matrix, before: Matrix, alarms: Matrix) -> Matrix:
    """Return the surprises that are greater than any of the last `_REST` readings that told."""
    told = np.zeros_like(surprise)
    for row, place in zip(*np.nonzero(surprise), strict=True):
        now, height = before[row, place] + 1.0, surprise[row, place]
        last_told, last_height = alarms[row]
        if now - last_told >= _REST or height > last_height:
            told[row, place] = height
            alarms[row] = now, height
    return told
