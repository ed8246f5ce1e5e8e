"""Remaining useful life of engines from what their sensors said so far (C-MAPSS)."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from detection.memory import Matrix, Memory

Cube = NDArray[np.float64]
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


def left_at(shares: NDArray[np.float64], ages: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cycles left at an age by which `shares` of a life were lived, at most 125."""
    lived = np.clip(shares, _LEAST_SHARE, 1.0)
    return np.asarray(np.clip(ages * (1.0 - lived) / lived, 0.0, MOST_CYCLES))


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
        mine = rows[None, places]
        part = going_on(mine[..., 1], mine[..., SENSORS_FROM:], weights, nothing_yet(1, weights))[0]
        if found is None:
            found = np.zeros((len(rows), part.shape[1]))
        found[places] = part
    return np.zeros((0, 0)) if found is None else found


def numbers_of(weights: Matrix) -> int:
    """Return how many numbers are remembered of a unit."""
    sensors, indices = weights.shape
    return int(sensors * _A_SENSOR + indices * _A_COURSE)


def nothing_yet(units: int, weights: Matrix) -> Matrix:
    """Return the memory of units that have said nothing yet, a row a unit."""
    return np.zeros((units, numbers_of(weights)))


def going_on(ages: Matrix, sensors: Cube, weights: Matrix, states: Matrix) -> Cube:
    """Return the features of units' next cycles; what is remembered of them moves on in place.

    A row a unit, a column a cycle, then its sensors, or features.
    """
    # One multiplication after another: a product's last bit may depend on the number of rows.
    health = np.asarray(sum(sensors[:, :, place, None] * weights[place] for place in
                            range(len(weights))))  # fmt: skip
    border = len(weights) * _A_SENSOR
    smoothed = _each(_smoothed, sensors, states[:, :border])
    course = _each(_course, health, states[:, border:])
    age = ages[:, :, None]
    return np.concatenate([age, smoothed, course, course * age], axis=2)


def _each(found_in: Callable[[Matrix, Memory], Iterator[Matrix]], cube: Cube, states: Matrix
          ) -> Cube:  # fmt: skip
    """Return what is found in each column of units, with a memory of its own."""
    units, cycles, columns = cube.shape
    memory = states.reshape(units * columns, -1)
    flat = cube.transpose(0, 2, 1).reshape(units * columns, cycles)
    found = [each.reshape(units, columns, cycles) for each in found_in(flat, Memory(memory))]
    states[:] = memory.reshape(states.shape)
    return np.concatenate(found, axis=1).transpose(0, 2, 1)


_A_SENSOR = 2 * 4
"""Numbers that are remembered of a sensor: two a mean."""


def _smoothed(sensors: Matrix, memory: Memory) -> Iterator[Matrix]:
    yield memory.mean(sensors, 0.08)
    yield memory.mean(sensors, 0.2)
    yield memory.mean(sensors, 0.12) - memory.mean(sensors, 0.03)


_A_COURSE = 1 + 2 * len(_HEALTH_RATES) + 3 + 2 * 4
"""Numbers that are remembered of a health index: a count, two a mean, two sums, the least."""


def _course(health: Matrix, memory: Memory) -> Iterator[Matrix]:
    """Yield means of several lengths, what was lost since the start, and slopes."""
    before = memory.count(health)
    seen = before + 1.0
    means = [memory.mean(health, rate) for rate in _HEALTH_RATES]
    yield from means
    yield memory.sum(health) / seen
    start = memory.sum(np.where(seen <= _START_CYCLES, health, 0.0))
    yield means[1] - start / np.minimum(seen, _START_CYCLES)
    yield means[1] - means[3]
    yield means[2] - means[3]
    yield memory.least(means[2], before)
    for rate in (0.1, 0.05):
        once = memory.mean(health, rate)
        twice = memory.mean(once, rate)
        yield 2.0 * once - twice
        yield (once - twice) * (rate / (1.0 - rate))
