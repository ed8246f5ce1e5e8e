"""Rigs that were made up: eight sensors of one machine, two that wander, a fault of 400 rows."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from benchmarks.report import Figures
from detection.scoring import ALARM_FROM, Scorer

FAULTS = ("shifted", "noisy", "parted")
_ROWS, _SENSORS, _TRAINED, _FIRST, _LAST = 1150, 8, 400, 570, 970
_SEEDS = 12


def rigs() -> Figures:
    """Return F1, false alarm rate and missed alarm rate by row, after 400 rows of training."""
    figures: dict[str, object] = {}
    truth = np.zeros(_ROWS, bool)
    truth[_FIRST:_LAST] = True
    for wander in (0.0, 0.5, 1.0):
        found = np.array([_alarms(rows) for rows in _all(wander)])[:, _TRAINED:]
        real = np.broadcast_to(truth[_TRAINED:], found.shape)
        hits, missed, false = (int(each.sum()) for each in
                               (found & real, ~found & real, found & ~real))  # fmt: skip
        name = f"rig_wandering_{wander:g}"
        figures[f"{name}_f1"] = 2 * hits / (2 * hits + missed + false)
        figures[f"{name}_false_rate"] = false / int((~real).sum())
        figures[f"{name}_missed_rate"] = missed / int(real.sum())
    return figures


def _all(wander: float) -> Iterator[NDArray[np.float64]]:
    for fault in FAULTS:
        for seed in range(_SEEDS):
            yield _rig(np.random.default_rng(seed), wander, fault)


def _rig(drawn: np.random.Generator, wander: float, fault: str) -> NDArray[np.float64]:
    common = lfilter([1.0], [1.0, -0.9], drawn.normal(size=(_ROWS, 3)), axis=0)
    rows = common @ drawn.normal(size=(3, _SENSORS)) / common.std()
    rows += drawn.normal(size=rows.shape) * drawn.uniform(0.3, 1.0, _SENSORS)
    size = rows.std(axis=0)
    walks = np.cumsum(drawn.normal(size=(_ROWS, 2)), axis=0) / np.sqrt(_TRAINED)
    rows[:, :2] += wander * size[:2] * walks
    hit = drawn.choice(_SENSORS, drawn.integers(1, 4), replace=False)
    span = slice(_FIRST, _LAST)
    shape = (_LAST - _FIRST, len(hit))
    if fault == "shifted":
        rows[span, hit] += size[hit] * drawn.uniform(1.0, 3.5, len(hit))
    elif fault == "noisy":
        rows[span, hit] += size[hit] * drawn.normal(size=shape) * drawn.uniform(1.0, 3.0)
    else:
        rows[span, hit] = drawn.permutation(rows[:_TRAINED, hit])
    return np.asarray(rows)


def _alarms(rows: NDArray[np.float64]) -> NDArray[np.bool_]:
    metrics = [f"s{place}" for place in range(_SENSORS)]
    scores = Scorer("rig", metrics, _TRAINED).score(["rig"] * len(rows), rows)
    return np.asarray(scores >= ALARM_FROM)
