"""Points of a series and how they become fewer: the extremes of each bucket, or its last text."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Micros = NDArray[np.int64]
Values = NDArray[np.float64] | NDArray[np.object_]


class Points(NamedTuple):
    """Points in order of time; a value that is no reading is None, or NaN among numbers."""

    times: Micros
    values: Values

    def at(self, places: NDArray[np.int64]) -> "Points":
        """Return some of the points."""
        return Points(self.times[places], self.values[places])


NO_POINTS = Points(np.empty(0, np.int64), np.empty(0, np.float64))


def edges(start_us: int, end_us: int, buckets: int) -> Micros:
    """Return where each of the buckets that share [start, end) evenly begins."""
    span = end_us - start_us
    return np.array([start_us + span * n // buckets for n in range(buckets)], np.int64)


def extremes(points: Points, starts: Micros) -> Points:
    """Keep the least and the greatest number of each bucket, where each of them first stands.

    `starts`: where buckets begin, in microseconds; the first is not behind the first point.
    """
    numbers = np.flatnonzero(~np.isnan(points.values.astype(np.float64)))
    if not len(numbers):
        return NO_POINTS
    kept = points.at(numbers)
    bucket = np.searchsorted(starts, kept.times, side="right") - 1
    firsts = np.flatnonzero(np.diff(bucket, prepend=-1))
    places = [_first_of(kept, least, firsts) for least in (np.minimum, np.maximum)]
    return kept.at(np.unique(np.concatenate(places)))


def _first_of(points: Points, extreme: np.ufunc, firsts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the place in each run of the first point that has the run's extreme."""
    values = points.values.astype(np.float64)
    group = np.repeat(np.arange(len(firsts)), np.diff(np.append(firsts, len(values))))
    found = extreme.reduceat(values, firsts)
    there = np.flatnonzero(values == found[group])
    _, places = np.unique(group[there], return_index=True)
    return there[places]


def last_of_each(points: Points, starts: Micros) -> Points:
    """Keep the last point of each bucket."""
    bucket = np.searchsorted(starts, points.times, side="right") - 1
    is_last = np.diff(bucket, append=len(starts)) != 0
    return points.at(np.flatnonzero(is_last))
