"""Where a series has gaps: neighbouring readings stand further apart than readings usually do.

    readings   |  |  |  |        |  |  |            usual distance: 3
    buckets   [       |       |       |       ]     wider than it: no null but in the gap

Windows say where their first and their last reading stand, and how many there are: what lies
between two windows is known exactly, what lies within one by its mean.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.query.points import Micros, Points
from services.query.rows import Rows

USUAL_DISTANCES = 3
"""Readings that stand more than so many times their usual distance apart have a gap between."""


class _Between(NamedTuple):
    """Stretches without a reading, open at both ends: before, between and behind all of them."""

    begins: Micros
    ends: Micros
    lows: NDArray[np.int64]
    """The first bucket that lies wholly within each."""
    highs: NDArray[np.int64]
    """The bucket behind the last that does; not more than the first: there is none."""


def with_gaps(points: Points, rows: Rows, starts: Micros, end_us: int) -> Points:
    """Add points without a value to gaps that are wider than a bucket.

    They stand at the start of each bucket that lies within the gap, or in its middle where none
    does; and in buckets of which the device said that it had no value. `starts`: where buckets
    begin, in microseconds; the last ends at `end_us`.
    """
    bounds = np.append(starts, end_us)
    there = rows.at(np.flatnonzero(rows.count > 0))
    between = _between(there, bounds)
    distances = between.ends - between.begins
    usual = _usual(there)
    least = np.inf if usual is None else max(USUAL_DISTANCES * usual, np.diff(bounds).max())
    is_gap = distances > least
    is_shown = _covered(between, is_gap, len(starts)) | (
        _covered(between, np.ones_like(is_gap), len(starts)) & _said_empty(rows, starts)
    )
    is_narrow = is_gap & (between.lows >= between.highs)
    middles = (between.begins + distances // 2)[is_narrow]
    return _with_nothing_at(points, np.concatenate([starts[is_shown], middles]))


def with_breaks(points: Points) -> Points:
    """Add a point without a value in the middle of each gap between readings."""
    distances = np.diff(points.times)
    steps = distances[distances > 0]  # several readings of one time say nothing of the next one's
    if not len(steps):
        return points
    gaps = np.flatnonzero(distances > USUAL_DISTANCES * np.median(steps))
    return _with_nothing_at(points, points.times[gaps] + distances[gaps] // 2)


def _between(there: Rows, bounds: Micros) -> _Between:
    # Windows of two retention classes may lie across one another.
    order = np.argsort(there.first_at, kind="stable")
    lasts = np.maximum.accumulate(there.last_at[order])
    begins = np.concatenate([bounds[:1] - 1, lasts])
    ends = np.concatenate([there.first_at[order], bounds[-1:]])
    lows = np.searchsorted(bounds, begins, side="right")
    return _Between(begins, ends, lows, np.searchsorted(bounds, ends, side="right") - 1)


def _usual(there: Rows) -> float | None:
    """Return the median distance of readings in microseconds; None: nobody can say."""
    inner = np.flatnonzero(there.count > 1)
    counts = there.count[inner] - 1
    means = (there.last_at[inner] - there.first_at[inner]) / counts
    outer = there.first_at[1:] - there.last_at[:-1]
    distances = np.concatenate([means, outer])
    weights = np.concatenate([counts, np.ones_like(outer)])
    order = np.argsort(distances)
    order = order[distances[order] > 0]  # several readings of one time say nothing of the next
    if not len(order):
        return None
    so_far = np.cumsum(weights[order])
    return float(distances[order][np.searchsorted(so_far, so_far[-1] / 2)])


def _covered(between: _Between, chosen: NDArray[np.bool_], buckets: int) -> NDArray[np.bool_]:
    """Say of each bucket whether it lies wholly within a chosen stretch."""
    wide = chosen & (between.lows < between.highs)
    change = np.zeros(buckets + 1, np.int64)
    np.add.at(change, between.lows[wide], 1)
    np.add.at(change, between.highs[wide], -1)
    found: NDArray[np.bool_] = np.cumsum(change[:-1]) > 0
    return found


def _said_empty(rows: Rows, starts: Micros) -> NDArray[np.bool_]:
    """Say of each bucket whether a reading or window in it is without a value."""
    found = np.zeros(len(starts), np.bool_)
    found[np.searchsorted(starts, rows.times[rows.count == 0], side="right") - 1] = True
    return found


def _with_nothing_at(points: Points, added: Micros) -> Points:
    if not len(added):
        return points
    nothing = np.nan if points.values.dtype == np.float64 else None
    times = np.concatenate([points.times, added])
    values = np.concatenate([points.values, np.full(len(added), nothing, points.values.dtype)])
    order = np.argsort(times, kind="stable")
    return Points(times[order], values[order])
