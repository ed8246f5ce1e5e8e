"""Detectors of several metrics at once: T², residual of principal components, isolation forest."""

import base64
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from detection.memory import Matrix, Memory
from detection.training_rows import TrainingRows

Scores = NDArray[np.float64]
SMOOTHING = 0.1
_KEPT_VARIANCE = 0.95
_BLOCKS = 4
_FARTHEST = float(np.finfo(np.float32).max) / 2
"""Training rows are kept as distances from one in single precision."""
_LEAST_LIMIT = 1e-2
"""Of a metric's spread: rows that stand still, or keep to a line, have distances of nothing but
what single precision rounds."""
_BEYOND = 1.00001
"""What only reaches the limit, as rows that stand still do in a forest, is no alarm."""
_HEAD = struct.Struct("<BB")
"""What follows, and how many distances there are."""
_LEARNT, _SPACE = 1, 2
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

    def to_bytes(self) -> bytes:
        """Return all of it, to the bit."""
        return np.vstack([self.centre, self.scale, self.variances, self.axes]).tobytes()

    @classmethod
    def from_bytes(cls, content: bytes, metrics: int) -> "Space":
        """Read what `to_bytes` gave of so many metrics."""
        table = np.frombuffer(content).reshape(-1, metrics)
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

    def __init__(self, name: str, train_rows: int, metrics: int) -> None:
        self._measures = MEASURES.get(name, ())
        self._metrics = metrics
        self._training = TrainingRows(train_rows, metrics)
        self._memory: Matrix = np.zeros((max(len(self._measures), 1), 2))
        self._space: Space | None = None
        self._limits: list[float] = []
        self._distances: list[Distance] = []

    @property
    def missing(self) -> int:
        """How many rows it has yet to learn from."""
        return 0 if self._space else self._training.missing

    @property
    def told(self) -> int:
        """How far it has come, for `to_bytes`."""
        return ALL_TOLD if self._limits else self._training.seen

    def to_bytes(self, told: int = 0) -> bytes:
        """Return what is remembered, of its learning what is new since it had come so far."""
        if not self._limits:
            return _HEAD.pack(0, 0) + self._training.to_bytes(told)
        is_told = told == ALL_TOLD
        head = _HEAD.pack(_LEARNT | (0 if is_told else _SPACE), len(self._memory))
        if is_told:
            return head + self._memory.tobytes()
        learnt = self._space.to_bytes() if self._space else self._training.to_bytes()
        return head + self._memory.tobytes() + np.array(self._limits).tobytes() + learnt

    def take_up(self, content: bytes) -> None:
        """Go on from what `to_bytes` gave, one after another."""
        parts, count = _HEAD.unpack_from(content)
        rest = content[_HEAD.size :]
        if not parts:
            self._training.take_up(rest)
            return
        self._memory = np.frombuffer(rest, count=2 * count).reshape(count, 2).copy()
        if not parts & _SPACE:
            return
        self._limits = np.frombuffer(rest[16 * count :], count=count).tolist()
        self._distances, learnt = [], rest[24 * count :]
        if self._measures:
            self._space = Space.from_bytes(learnt, self._metrics)
            self._training = TrainingRows(self._training.wanted, self._metrics)
        else:
            self._training.take_up(learnt)

    def take_up_older(self, said: Mapping[str, Any]) -> None:
        """Go on from what formats before have said, one after another."""
        self._training.add(np.array(said["training"]).reshape(-1, self._metrics))
        self._memory = np.array(said["memory"])
        if "space" in said:
            self._space = Space.from_bytes(base64.b64decode(said["space"]), said["metrics"])
            self._limits = said["limits"]

    def score(self, rows: Matrix) -> Scores:
        """Score the device's next rows; those that it learns from get 0."""
        rows = np.clip(rows, -_FARTHEST, _FARTHEST)
        missing = self.missing
        self._training.add(rows[:missing])
        scores = np.zeros(len(rows))
        judged = rows[missing:]
        if len(judged):
            ratios = [
                self._smoothed(distance(judged), place) / max(self._limits[place], _LEAST_LIMIT)
                for place, distance in enumerate(self._fitted())
            ]
            greatest = np.max(ratios, axis=0)
            scores[len(rows) - len(judged) :] = greatest / (greatest + 1.0)
        return scores

    def _fitted(self) -> list[Distance]:
        if not self._distances and self._space is not None:
            self._distances = [measure(self._space) for measure in self._measures]
        elif not self._distances:
            self._fit(self._training.rows())
        return self._distances

    def _fit(self, rows: Matrix) -> None:
        fits = [_fit_of(measure) for measure in self._measures] or [forest]
        rate = 1.0 - (1.0 - SMOOTHING) ** self._training.stride
        if self._measures:
            self._space = space_of(rows)
            self._distances = [measure(self._space) for measure in self._measures]
            self._training = TrainingRows(self._training.wanted, self._metrics)
        else:
            self._distances = [forest(rows)]
        self._limits = self._limits or [_limit(fit, rows, rate) for fit in fits]
        if not self._memory.any():
            # The first row that is judged meets the mean of those before it, not nothing.
            for place, distance in enumerate(self._distances):
                _mean(distance(rows), self._memory[place : place + 1], rate)

    def _smoothed(self, distances: Scores, place: int) -> Scores:
        return _mean(distances, self._memory[place : place + 1], SMOOTHING)


def _fit_of(measure: Callable[[Space], Distance]) -> Fit:
    return lambda rows: measure(space_of(rows))


def _limit(fit: Fit, rows: Matrix, rate: float) -> float:
    """Return the greatest smoothed distance of rows that were not learnt from."""
    blocks = np.array_split(np.arange(len(rows)), _BLOCKS)
    found = [
        _mean(fit(np.delete(rows, block, axis=0))(rows[block]), np.zeros((1, 2)), rate)
        for block in blocks
    ]
    return _BEYOND * max(float(np.max(each[len(each) // 10 :])) for each in found)


def _mean(distances: Scores, state: Matrix, rate: float) -> Scores:
    memory = Memory(state)
    row = distances[None, :]
    total, weight = memory.weighted(row, rate), memory.weighted(np.ones_like(row), rate)
    return np.asarray((total / weight)[0])
