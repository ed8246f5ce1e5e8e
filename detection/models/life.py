"""Remaining useful life of engines from what their sensors said so far (C-MAPSS)."""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from detection.memory import Matrix

MOST_CYCLES = 125.0
"""A healthy engine's remaining life cannot be told: targets and answers end here."""
_RATES = (0.05, 0.15)
_LONG = 0.03
_SENSORS_FROM = 5


def remaining_cycles(rows: Matrix) -> NDArray[np.float64]:
    """Return each row's cycles to the last of its unit, at most 125: the unit ran to failure."""
    units, cycles = rows[:, 0], rows[:, 1]
    last = {unit: cycles[units == unit].max() for unit in np.unique(units)}
    return np.asarray(np.minimum([last[unit] for unit in units] - cycles, MOST_CYCLES))


def life_features(rows: Matrix) -> Matrix:
    """Return, for each cycle, smoothed sensors, their trend and their distance from the start.

    A row's features come from the rows of its unit up to it, never from later ones. The age is
    left out: a model that knows it learns the lives of the engines it was trained on.
    """
    found = np.zeros((len(rows), (rows.shape[1] - _SENSORS_FROM) * 4))
    for unit in np.unique(rows[:, 0]):
        places = np.flatnonzero(rows[:, 0] == unit)
        sensors = rows[places, _SENSORS_FROM:]
        fast, slow = (_mean(sensors, rate) for rate in (_RATES[1], _RATES[0]))
        age = np.arange(1.0, len(places) + 1)[:, None]
        start = np.cumsum(np.where(age <= 20, sensors, 0.0), axis=0) / np.minimum(age, 20.0)
        trend = fast - _mean(sensors, _LONG)
        found[places] = np.hstack([slow, fast, trend, fast - start])
    return found


def _mean(values: Matrix, rate: float) -> Matrix:
    total = lfilter([rate], [1.0, rate - 1.0], values, axis=0)
    weight = lfilter([rate], [1.0, rate - 1.0], np.ones(len(values)))
    return np.asarray(total / weight[:, None])
