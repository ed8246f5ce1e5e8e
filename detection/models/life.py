"""Remaining useful life of engines from what their sensors said so far (C-MAPSS)."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter
from sklearn.linear_model import Ridge

from detection.memory import Matrix

MOST_CYCLES = 125.0
"""A healthy engine's remaining life cannot be told: targets and answers end here."""
SENSORS_FROM = 5
_HEALTH_RATES = (0.3, 0.15, 0.07, 0.03)
_START_CYCLES = 20.0
_LEAST_SHARE = 0.02


def cycles_left(rows: Matrix) -> NDArray[np.float64]:
    """Return each row's cycles to the last of its unit, which ran to failure."""
    units, cycles = rows[:, 0], rows[:, 1]
    last = {unit: cycles[units == unit].max() for unit in np.unique(units)}
    return np.asarray([last[unit] for unit in units] - cycles)


def remaining_cycles(rows: Matrix) -> NDArray[np.float64]:
    """Return the cycles left, at most 125."""
    return np.minimum(cycles_left(rows), MOST_CYCLES)


def share_lived(rows: Matrix) -> NDArray[np.float64]:
    """Return which share of its whole life the unit has behind it, 0 to 1."""
    return rows[:, 1] / (cycles_left(rows) + rows[:, 1])


def left_at(shares: NDArray[np.float64], rows: Matrix) -> NDArray[np.float64]:
    """Return the cycles left of a life of which `shares` were lived, at most 125."""
    lived = np.clip(shares, _LEAST_SHARE, 1.0)
    return np.asarray(np.clip(rows[:, 1] * (1.0 - lived) / lived, 0.0, MOST_CYCLES))


def health_weights(rows: Matrix) -> Matrix:
    """Return two weightings of the sensors (21 by 2) that fall in line with the cycles left.

    Ridge regressions: one over all rows, one over those that have fewer than 125 left.
    """
    sensors, target = rows[:, SENSORS_FROM:], remaining_cycles(rows)
    spread = sensors.std(axis=0)
    scale = np.where(spread > 1e-9, spread, np.inf)
    scaled = (sensors - sensors.mean(axis=0)) / scale
    ending = target < MOST_CYCLES
    fits = [Ridge(10.0).fit(scaled[part], target[part]) for part in (ending | True, ending)]
    return np.column_stack([fit.coef_ / scale for fit in fits])


def life_features(rows: Matrix, weights: Matrix) -> Matrix:
    """Return, for each cycle, smoothed sensors, the course of health, and both against age.

    A row's features come from the rows of its unit up to it, never from later ones.
    """
    found: Matrix | None = None
    for unit in np.unique(rows[:, 0]):
        places = np.flatnonzero(rows[:, 0] == unit)
        part = np.hstack(list(_of_unit(rows[places], weights)))
        if found is None:
            found = np.zeros((len(rows), part.shape[1]))
        found[places] = part
    return np.zeros((0, 0)) if found is None else found


def _of_unit(rows: Matrix, weights: Matrix) -> Iterator[Matrix]:
    sensors, age = rows[:, SENSORS_FROM:], rows[:, 1:2]
    yield age
    yield _mean(sensors, 0.08)
    yield _mean(sensors, 0.2)
    yield _mean(sensors, 0.12) - _mean(sensors, 0.03)
    # One multiplication after another: a product's last bit may depend on the number of rows.
    health = np.asarray(sum(sensors[:, place, None] * weights[place] for place in
                            range(len(weights))))  # fmt: skip
    course = np.hstack(list(_course(health)))
    yield course
    yield course * age


def _course(health: Matrix) -> Iterator[Matrix]:
    """Yield means of several lengths, what was lost since the start, and slopes."""
    seen = np.arange(1.0, len(health) + 1)[:, None]
    means = [_mean(health, rate) for rate in _HEALTH_RATES]
    yield from means
    yield np.cumsum(health, axis=0) / seen
    start = np.cumsum(np.where(seen <= _START_CYCLES, health, 0.0), axis=0)
    yield means[1] - start / np.minimum(seen, _START_CYCLES)
    yield means[1] - means[3]
    yield means[2] - means[3]
    yield np.minimum.accumulate(means[2], axis=0)
    for rate in (0.1, 0.05):
        once = _mean(health, rate)
        twice = _mean(once, rate)
        yield 2.0 * once - twice
        yield (once - twice) * (rate / (1.0 - rate))


def _mean(values: Matrix, rate: float) -> Matrix:
    total = lfilter([rate], [1.0, rate - 1.0], values, axis=0)
    weight = lfilter([rate], [1.0, rate - 1.0], np.ones(len(values)))
    return np.asarray(total / weight[:, None])
