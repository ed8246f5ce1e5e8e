"""The baseline of a slot of the week: the mean of its past weeks, and the device's own spread."""

from datetime import tzinfo

import numpy as np
from numpy.typing import NDArray

from detection.memory import Bytes, Matrix, weighted_before
from detection.rules.baselines import Weeks
from detection.rules.looks import floor
from detection.rules.narrow import Halves, padded, single
from detection.rules.readings import Times
from detection.rules.spans import SPAN_BYTES, put_spans, runs, spans_of, spread_over
from telemetry.rules.schedule import offset_us

WEEK_US = 7 * 86_400_000_000
NEWEST_WEEK = 0.3
"""Share of the newest week in a slot's mean."""
SPREAD_RATE = 0.005
"""Rate of the mean of absolute residuals, a device's own spread."""
SPREAD_BYTES = 8
_ROUNDED_TWICE = 2.0
"""No spread is taken for smaller than so many times what its slot's mean is rounded by."""
_DEVIATION = 1.2533141373155003
"""Standard deviation of a normal distribution whose mean absolute deviation is 1: √(π/2)."""
_QUARTER_US = 900_000_000
_NUMBERS = SPAN_BYTES + SPREAD_BYTES
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
    """Return the bytes that a series' week takes: two a slot, and 32."""
    return _NUMBERS + padded(Halves.HEAD_BYTES + 2 * count)


def season(values: Matrix, slots: Times, count: int, states: Bytes) -> tuple[Matrix, Matrix]:
    """Return each reading's baseline, NaN in a slot without a past, and the device's spread.

    A slot's mean takes up a week once that week's slot is over, so all readings of one slot meet
    the same baseline.
    """
    week, current = Halves(states[:, _NUMBERS:], count), spans_of(states)
    baseline, finest = np.full(values.shape, np.nan), np.full(values.shape, np.nan)
    for ended, begun in runs(slots, values, current):
        week.move((ended.series, ended.span % count), ended.total / ended.readings, NEWEST_WEEK)
        is_over = ended.span // count < ended.following // count
        if is_over.any():
            week.settle(ended.series[is_over])
        places = begun.series, begun.span % count
        spread_over(begun, week[places], baseline)
        spread_over(begun, week.finest(places), finest)
    put_spans(states, current)
    own = spread(values, baseline, states[:, SPAN_BYTES:_NUMBERS])
    return baseline, np.fmax(own, _ROUNDED_TWICE * finest)


def seed_season(states: Bytes, slots: Times, count: int, stored: Weeks) -> None:
    """Let stored baselines stand where a series has no past of its own yet, in place.

    `slots` says of each hour of the week in which slot it lies; `stored` has a row a series.
    """
    week, series = Halves(states[:, _NUMBERS:], count), np.arange(len(states))
    known = np.isfinite(stored.medians)
    filled = np.where(known, stored.medians, 0.0)
    for slot in range(count):
        hours = slots == slot
        has = known[:, hours].sum(axis=1)
        missing = np.isnan(week[series, np.full(len(series), slot)])
        mine = np.flatnonzero((has > 0) & missing)
        mean = filled[mine][:, hours].sum(axis=1) / has[mine]
        week.move((mine, np.full(len(mine), slot)), mean, NEWEST_WEEK)
    week.settle(series)
    _seed_spread(states[:, SPAN_BYTES:_NUMBERS].view(np.float32), stored.spreads)


def _seed_spread(memory: NDArray[np.float32], spreads: NDArray[np.float32]) -> None:
    known = np.isfinite(spreads)
    count = known.sum(axis=1)
    total = np.where(known, spreads, 0.0).sum(axis=1)
    usual = np.divide(total, count, where=count > 0, out=np.zeros(len(total)))
    missing = np.where(count > 0, 1.0 - memory[:, 1], 0.0)
    # In the order in which `spread` takes its sums: sizes, weights.
    memory[:, 0] += missing * usual / _DEVIATION
    memory[:, 1] += missing


def spread(values: Matrix, baseline: Matrix, states: Bytes) -> Matrix:
    """Return the usual size of residuals before each reading, as a standard deviation.

    What has no baseline weighs nothing. Sums are singles, at each reading.
    """
    known = np.isfinite(baseline)
    centre = np.where(known, baseline, 0.0)
    sizes = single(np.where(known, np.abs(values - centre), 0.0))
    sums = states.view(np.float32)
    total = weighted_before(sizes, SPREAD_RATE, sums[:, :1]).astype(np.float64)
    weight = weighted_before(known.astype(np.float32), SPREAD_RATE, sums[:, 1:2])
    mean = np.divide(total, weight, where=weight > 0, out=np.zeros_like(values))
    return np.maximum(_DEVIATION * mean, floor(centre))
