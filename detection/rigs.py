"""Detectors of several metrics at once: T², residual of principal components, isolation forest."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from detection.memory import Matrix, Memory

Scores = NDArray[np.float64]
SMOOTHING = 0.1
_KEPT_VARIANCE = 0.95
_BLOCKS = 4


class Distance(Protocol):
    """Says how far readings are from those it was fitted on; 1 is the limit."""

    def __call__(self, rows: Matrix, /) -> Scores:
        """Return a distance for each row."""
        ...


Fit = Callable[[Matrix], Distance]


@dataclass(frozen=True, slots=True)
class _Space:
    """The training rows' own axes: centre, scale, directions and variance along each."""

    centre: Scores
    scale: Scores
    axes: Matrix
    variances: Scores

    def along(self, rows: Matrix) -> Matrix:
        """Return rows in these axes."""
        scaled = (rows - self.centre) / self.scale
        # One multiplication after another: a matrix product may add in another order for
        # another number of rows.
        return np.asarray(sum(scaled[:, place, None] * self.axes[place] for place in
                              range(scaled.shape[1])))  # fmt: skip


def _space(rows: Matrix) -> _Space:
    centre = rows.mean(axis=0)
    spread = rows.std(axis=0)
    scale = np.where(spread > 1e-9 * (1 + np.abs(centre)), spread, 1e-3 * (1 + np.abs(centre)))
    scaled = (rows - centre) / scale
    covariance = scaled.T @ scaled / len(rows) + 1e-3 * np.eye(rows.shape[1])
    variances, axes = np.linalg.eigh(covariance)
    return _Space(centre, scale, axes[:, ::-1], variances[::-1])


def hotelling(rows: Matrix) -> Distance:
    """Fit T²: the squared distance from the centre, each direction in units of its variance."""
    space = _space(rows)

    def distance(asked: Matrix) -> Scores:
        squares = space.along(asked) ** 2 / space.variances
        return np.sqrt(_added(squares))

    return distance


def residual(rows: Matrix) -> Distance:
    """Fit Q: the distance from the plane of the components that hold 95 % of the variance."""
    space = _space(rows)
    held = np.cumsum(space.variances) / space.variances.sum()
    left_out = min(int(np.searchsorted(held, _KEPT_VARIANCE)) + 1, len(held) - 1)

    def distance(asked: Matrix) -> Scores:
        return np.sqrt(_added(space.along(asked)[:, left_out:] ** 2))

    return distance


def forest(rows: Matrix) -> Distance:
    """Fit an isolation forest: how few cuts set a reading apart."""
    space = _space(rows)
    scaled = (rows - space.centre) / space.scale
    trees = IsolationForest(n_estimators=100, random_state=0).fit(scaled)
    return lambda asked: -trees.score_samples((asked - space.centre) / space.scale)


def _added(terms: Matrix) -> Scores:
    return np.cumsum(terms, axis=1)[:, -1]


FITS: dict[str, tuple[Fit, ...]] = {
    "t2": (hotelling,),
    "residual": (residual,),
    "forest": (forest,),
    "rig": (hotelling, residual),
}


class RigDetector:
    """Learns from a device's first rows, then scores each row by its smoothed distances.

    A distance is smoothed with exponential weights and divided by its limit: the greatest that it
    has over blocks of the training rows, each held against what was learnt from the others. The
    greatest ratio r becomes the score r / (r + 1): from 0.5 on the device has left what it
    learnt.
    """

    def __init__(self, name: str, train_rows: int) -> None:
        self._fits = FITS[name]
        self.train_rows = train_rows
        self.training: list[list[float]] = []
        self.memory: Matrix = np.zeros((len(self._fits), 2))
        self._distances: list[tuple[Distance, float]] = []

    def score(self, rows: Matrix) -> Scores:
        """Score the device's next rows; those that it learns from get 0."""
        missing = self.train_rows - len(self.training)
        self.training.extend(rows[: max(missing, 0)].tolist())
        scores = np.zeros(len(rows))
        judged = rows[max(missing, 0) :]
        if len(judged):
            ratios = [
                self._smoothed(distance(judged), place) / limit
                for place, (distance, limit) in enumerate(self._fitted())
            ]
            greatest = np.max(ratios, axis=0)
            scores[len(rows) - len(judged) :] = greatest / (greatest + 1.0)
        return scores

    def _fitted(self) -> list[tuple[Distance, float]]:
        if not self._distances:
            rows = np.array(self.training)
            self._distances = [(fit(rows), _limit(fit, rows)) for fit in self._fits]
            if not self.memory.any():
                # The first row that is judged meets the mean of those before it, not nothing.
                for place, (distance, _) in enumerate(self._distances):
                    self._smoothed(distance(rows), place)
        return self._distances

    def _smoothed(self, distances: Scores, place: int) -> Scores:
        return _mean(distances, self.memory[place : place + 1])


def _limit(fit: Fit, rows: Matrix) -> float:
    """Return the greatest smoothed distance of rows that were not learnt from."""
    blocks = np.array_split(np.arange(len(rows)), _BLOCKS)
    found = [
        _mean(fit(np.delete(rows, block, axis=0))(rows[block]), np.zeros((1, 2)))
        for block in blocks
    ]
    return max(float(np.max(each[len(each) // 10 :])) for each in found)


def _mean(distances: Scores, state: Matrix) -> Scores:
    memory = Memory(state)
    row = distances[None, :]
    total, weight = memory.weighted(row, SMOOTHING), memory.weighted(np.ones_like(row), SMOOTHING)
    return np.asarray((total / weight)[0])
