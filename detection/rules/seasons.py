"""The baseline of a slot of the week: the mean of its past weeks, and the device's own spread."""

from datetime import tzinfo

import numpy as np
from numpy.typing import NDArray

from detection.memory import Bytes, Matrix, Memory
from detection.rules.baselines import Weeks
from detection.rules.looks import floor
from detection.rules.narrow import ROUNDED_BY, Means, padded
from detection.rules.readings import Flags, Rows, Times
from detection.rules.spans import STATE_NUMBERS, runs, spread_over
from telemetry.rules.schedule import offset_us

WEEK_US = 7 * 86_400_000_000
NEWEST_WEEK = 0.3
"""Share of the newest week in a slot's mean."""
SPREAD_RATE = 0.005
"""Rate of the mean of absolute residuals, a device's own spread."""
SPREAD_NUMBERS = 2
LEAST_SPREAD = 2.0 * ROUNDED_BY
"""No spread is taken for smaller than this share of its slot's mean, which is rounded."""
_DEVIATION = 1.2533141373155003
"""Standard deviation of a normal distribution whose mean absolute deviation is 1: √(π/2)."""
_QUARTER_US = 900_000_000
_NUMBERS = 8 * (STATE_NUMBERS + SPREAD_NUMBERS)
_MONDAY_US = 4 * 86_400_000_000
"""The first Monday after 1970 began, so that slots of a day or more begin on Mondays."""


def local(times: Times, zone: tzinfo) -> Times:
    """Return what the zone's clocks say, in microseconds since 1970."""
    quarters, place = np.unique(times // _QUARTER_US, return_inverse=True)
    ahead = [offset_us(zone, quarter * _QUARTER_US) for quarter in quarters.tolist()]
    return times + np.array(ahead, np.int64)[place].reshape(times.shape)


def slots_of(local_times: Times, count: int) -> Times:
    """Number the slots of all weeks; the remainder by `count` is the slot of the week."""
    return (local_times - _MONDAY_US) // (WEEK_US // count)


def season_bytes(count: int) -> int:
    """Return the bytes that a series' week takes: three and an eighth a slot, and 40."""
    return _NUMBERS + padded(Means.BYTES * count + -(-count // 8))


def season(values: Matrix, slots: Times, count: int, states: Bytes) -> tuple[Matrix, Matrix]:
    """Return each reading's baseline, NaN in a slot without a past, and the device's spread.

    A slot's mean takes up a week once that week's slot is over, so all readings of one slot meet
    the same baseline.
    """
    week = _Week(states[:, _NUMBERS:], count)
    numbers = states[:, :_NUMBERS].view(np.float64)
    baseline = np.full(values.shape, np.nan)
    for ended, begun in runs(slots, values, numbers[:, :STATE_NUMBERS]):
        week.learn(ended.series, ended.span % count, ended.total / ended.readings)
        spread_over(begun, week.means(begun.series, begun.span % count), baseline)
    own = spread(values, baseline, Memory(numbers[:, STATE_NUMBERS:]))
    return baseline, np.fmax(own, LEAST_SPREAD * np.abs(baseline))


def seed_season(states: Bytes, slots: Times, count: int, stored: Weeks) -> None:
    """Let stored baselines stand where a series has no past of its own yet, in place.

    `slots` says of each hour of the week in which slot it lies; `stored` has a row a series.
    """
    week = _Week(states[:, _NUMBERS:], count)
    known = np.isfinite(stored.medians)
    filled = np.where(known, stored.medians, 0.0)
    series = np.arange(len(states))
    for slot in range(count):
        hours = slots == slot
        has = known[:, hours].sum(axis=1)
        mine = np.flatnonzero(has > 0)
        mean = filled[mine][:, hours].sum(axis=1) / has[mine]
        week.fill(series[mine], np.full(len(mine), slot), mean)
    _seed_spread(states[:, :_NUMBERS].view(np.float64)[:, STATE_NUMBERS:], stored.spreads)


def _seed_spread(memory: Matrix, spreads: NDArray[np.float32]) -> None:
    known = np.isfinite(spreads)
    count = known.sum(axis=1)
    total = np.where(known, spreads, 0.0).sum(axis=1)
    usual = np.divide(total, count, where=count > 0, out=np.zeros(len(total)))
    missing = np.where(count > 0, 1.0 - memory[:, 1], 0.0)
    # In the order in which `spread` takes its sums: sizes, weights.
    memory[:, 0] += missing * usual / _DEVIATION
    memory[:, 1] += missing


class _Week:
    """The means of each series' slots, and one bit a slot: has a past."""

    def __init__(self, states: Bytes, count: int) -> None:
        self._means = Means(states, count)
        self._seen = states[:, Means.BYTES * count :]

    def means(self, series: Rows, slot: Rows) -> NDArray[np.float64]:
        """Return the slots' means, NaN where there is none."""
        return np.where(self._is_seen(series, slot), self._means[series, slot], np.nan)

    def learn(self, series: Rows, slot: Rows, mean: NDArray[np.float64]) -> None:
        """Take up the newest week's means."""
        before = self._means[series, slot]
        moved = before + NEWEST_WEEK * (mean - before)
        self._means[series, slot] = np.where(self._is_seen(series, slot), moved, mean)
        self._seen[series, slot >> 3] |= (1 << (slot & 7)).astype(np.uint8)

    def fill(self, series: Rows, slot: Rows, mean: NDArray[np.float64]) -> None:
        """Set the means of slots without a past."""
        new = ~self._is_seen(series, slot)
        self.learn(series[new], slot[new], mean[new])

    def _is_seen(self, series: Rows, slot: Rows) -> Flags:
        return np.asarray(self._seen[series, slot >> 3] & (1 << (slot & 7)).astype(np.uint8) > 0)


def spread(values: Matrix, baseline: Matrix, memory: Memory) -> Matrix:
    """Return the usual size of residuals before each reading, as a standard deviation.

    What has no baseline weighs nothing.
    """
    known = np.isfinite(baseline)
    centre = np.where(known, baseline, 0.0)
    sizes = np.where(known, np.abs(values - centre), 0.0)
    total = memory.weighted_before(sizes, SPREAD_RATE)
    weight = memory.weighted_before(known.astype(np.float64), SPREAD_RATE)
    mean = np.divide(total, weight, where=weight > 0, out=np.zeros_like(values))
    return np.maximum(_DEVIATION * mean, floor(centre))
