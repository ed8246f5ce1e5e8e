"""Detectors of several metrics at once: T², residual of principal components, isolation forest."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from detection.memory import Matrix, Memory

Scores = NDArray[np.float64]
SMOOTHING = 0.1
_KEPT_VARIANCE = 0.95
_BLOCKS = 4
ALL_TOLD = -1


class Distance(Protocol):
    """Says how far readings are from those it was fitted on; 1 is the limit."""

    def __call__(self, rows: Matrix, /) -> Scores:
        """Return a distance for each row."""
        ...


Fit = Callable[[Matrix], Distance]


@dataclass(frozen=True, slots=True)
class Space:
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

    def to_text(self) -> str:
        """Return all of it, to the bit."""
        table = np.vstack([self.centre, self.scale, self.variances, self.axes])
        return base64.b64encode(table.tobytes()).decode()

    @classmethod
    def from_text(cls, text: str, metrics: int) -> "Space":
        """Read what `to_text` gave of so many metrics."""
        table = np.frombuffer(base64.b64decode(text)).reshape(-1, metrics)
        return cls(table[0], table[1], table[3:], table[2])


def space_of(rows: Matrix) -> Space:
    """Return the space of training rows."""
    centre = rows.mean(axis=0)
    spread = rows.std(axis=0)
    scale = np.where(spread > 1e-9 * (1 + np.abs(centre)), spread, 1e-3 * (1 + np.abs(centre)))
    scaled = (rows - centre) / scale
    covariance = scaled.T @ scaled / len(rows) + 1e-3 * np.eye(rows.shape[1])
    variances, axes = np.linalg.eigh(covariance)
    return Space(
        centre, scale, np.ascontiguousarray(axes[:, ::-1]), np.ascontiguousarray(variances[::-1])
    )


def hotelling(space: Space) -> Distance:
    """Return T²: the squared distance from the centre, each direction in units of its variance."""

    def distance(asked: Matrix) -> Scores:
        squares = space.along(asked) ** 2 / space.variances
        return np.sqrt(_added(squares))

    return distance


def residual(space: Space) -> Distance:
    """Return Q: the distance from the plane of the components that hold 95 % of the variance."""
    held = np.cumsum(space.variances) / space.variances.sum()
    left_out = min(int(np.searchsorted(held, _KEPT_VARIANCE)) + 1, len(held) - 1)

    def distance(asked: Matrix) -> Scores:
        return np.sqrt(_added(space.along(asked)[:, left_out:] ** 2))

    return distance


def forest(rows: Matrix) -> Distance:
    """Fit an isolation forest: how few cuts set a reading apart."""
    space = space_of(rows)
    scaled = (rows - space.centre) / space.scale
    trees = IsolationForest(n_estimators=100, random_state=0).fit(scaled)
    return lambda asked: -trees.score_samples((asked - space.centre) / space.scale)


def _added(terms: Matrix) -> Scores:
    return np.cumsum(terms, axis=1)[:, -1]


MEASURES: dict[str, tuple[Callable[[Space], Distance], ...]] = {
    "t2": (hotelling,),
    "residual": (residual,),
    "rig": (hotelling, residual),
}


class RigDetector:
    """Learns from a device's first rows, then scores each row by its smoothed distances.

    A distance is smoothed with exponential weights and divided by its limit: the greatest that it
    has over blocks of the training rows, each held against what was learnt from the others. The
    greatest ratio r becomes the score r / (r + 1): from 0.5 on the device has left what it
    learnt. Rows are forgotten once they have taught; a forest is grown from them at each start.
    """

    def __init__(self, name: str, train_rows: int) -> None:
        self._measures = MEASURES.get(name, ())
        self.train_rows = train_rows
        self._training: list[list[float]] = []
        self._memory: Matrix = np.zeros((max(len(self._measures), 1), 2))
        self._space: Space | None = None
        self._limits: list[float] = []
        self._distances: list[Distance] = []

    @property
    def missing(self) -> int:
        """How many rows it has yet to learn from."""
        return 0 if self._space else max(self.train_rows - len(self._training), 0)

    @property
    def told(self) -> int:
        """How far it has come, for `to_dict`."""
        return ALL_TOLD if self._space else len(self._training)

    def to_dict(self, told: int = 0) -> dict[str, object]:
        """Return what is remembered, of its learning what is new since it had come so far."""
        said: dict[str, object] = {"training": self._training[max(told, 0):],
                                   "memory": self._memory.tolist()}  # fmt: skip
        if self._space and told != ALL_TOLD:
            said |= {"space": self._space.to_text(), "metrics": len(self._space.centre),
                     "limits": self._limits}  # fmt: skip
        return said

    def take_up(self, said: Mapping[str, Any]) -> None:
        """Go on from what `to_dict` gave, one after another."""
        self._training += said["training"]
        self._memory = np.array(said["memory"])
        if "space" in said:
            self._space = Space.from_text(said["space"], said["metrics"])
            self._limits, self._training = said["limits"], []

    def score(self, rows: Matrix) -> Scores:
        """Score the device's next rows; those that it learns from get 0."""
        missing = self.missing
        self._training.extend(rows[:missing].tolist())
        scores = np.zeros(len(rows))
        judged = rows[missing:]
        if len(judged):
            ratios = [
                self._smoothed(distance(judged), place) / self._limits[place]
                for place, distance in enumerate(self._fitted())
            ]
            greatest = np.max(ratios, axis=0)
            scores[len(rows) - len(judged) :] = greatest / (greatest + 1.0)
        return scores

    def _fitted(self) -> list[Distance]:
        if not self._distances:
            if self._space is None:
                self._fit(np.array(self._training))
            else:
                self._distances = [measure(self._space) for measure in self._measures]
        return self._distances

    def _fit(self, rows: Matrix) -> None:
        if self._measures:
            self._space = space_of(rows)
            self._distances = [measure(self._space) for measure in self._measures]
            self._limits = [_limit(_fit_of(measure), rows) for measure in self._measures]
            self._training = []
        else:
            self._distances, self._limits = [forest(rows)], [_limit(forest, rows)]
        if not self._memory.any():
            # The first row that is judged meets the mean of those before it, not nothing.
            for place, distance in enumerate(self._distances):
                self._smoothed(distance(rows), place)

    def _smoothed(self, distances: Scores, place: int) -> Scores:
        return _mean(distances, self._memory[place : place + 1])


def _fit_of(measure: Callable[[Space], Distance]) -> Fit:
    return lambda rows: measure(space_of(rows))


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
