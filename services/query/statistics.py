"""Statistics of fixed buckets, merged exactly from readings and windows alike.

Chan's formula: with n the counts, M = Σ n mean / Σ n and m2 = Σ m2 + Σ n (mean - M)².
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from services.query.points import Micros, Points
from services.query.rows import Rows

Agg = Literal["mean", "min", "max", "sum", "count", "first", "last", "stddev"]
Fill = Literal["none", "null", "previous", "linear"]
NUMBERS_ONLY: frozenset[Agg] = frozenset({"mean", "min", "max", "sum", "stddev"})
_MS, _S = 1_000, 1_000_000
_M, _H, _D = 60 * _S, 3600 * _S, 86_400 * _S
WIDTHS: tuple[int, ...] = (
    *(step * 10**power for power in range(6) for step in (1, 2, 5)),
    *(n * _S for n in (1, 2, 5, 10, 15, 30)),
    *(n * _M for n in (1, 2, 5, 10, 15, 30)),
    *(n * _H for n in (1, 2, 3, 6, 12)),
    *(n * 10**power * _D for power in range(6) for n in (1, 2, 5)),
)
"""Widths that buckets have, in microseconds; each begins at a multiple of it since 1970."""
WHOLE_US = WIDTHS[-1]
"""Wider than any range, which it is one bucket of: 1970 begins no other."""


def width_for(start_us: int, end_us: int, most: int) -> int:
    """Return the least width by which a range has at most so many buckets."""
    return next(
        (width for width in WIDTHS if (end_us - 1) // width - start_us // width < most), WHOLE_US
    )


def grid(start_us: int, end_us: int, width_us: int) -> Micros:
    """Return where the buckets of a range begin; the first one not before the range."""
    first = start_us if width_us == WHOLE_US else start_us // width_us * width_us
    starts = np.arange(first, end_us, width_us, dtype=np.int64)
    starts[0] = start_us
    return starts


def aggregated(rows: Rows, starts: Micros, agg: Agg) -> Points:
    """Return one value for each bucket that has readings with a value.

    stddev is that of a sample: NaN for one reading.
    """
    kept = rows.at(np.flatnonzero(rows.count > 0))
    bucket = np.searchsorted(starts, kept.times, side="right") - 1
    firsts = np.flatnonzero(np.diff(bucket, prepend=-1))
    times = starts[bucket[firsts]]
    if not len(firsts):
        return Points(times, np.empty(0, np.float64))
    # What is beyond the greatest number is infinite, and answered as no number.
    with np.errstate(over="ignore", invalid="ignore"):
        return Points(times, _value(kept, bucket, firsts, agg))


def _value(
    rows: Rows, bucket: NDArray[np.int64], firsts: NDArray[np.int64], agg: Agg
) -> NDArray[np.float64] | NDArray[np.object_]:
    if agg == "first":
        return _end_value(rows.first, bucket, np.lexsort((rows.first_seq, rows.first_at, bucket)))
    if agg == "last":
        order = np.lexsort((-rows.last_seq, -rows.last_at, bucket))
        return _end_value(rows.last, bucket, order)
    if agg == "min":
        return np.minimum.reduceat(rows.min, firsts)
    if agg == "max":
        return np.maximum.reduceat(rows.max, firsts)
    count = np.add.reduceat(rows.count.astype(np.float64), firsts)
    if agg == "count":
        return count
    total = np.add.reduceat(rows.sum, firsts)
    return total if agg == "sum" else _moment(rows, firsts, count, agg)


def _end_value(
    values: NDArray[np.float64] | NDArray[np.object_],
    bucket: NDArray[np.int64],
    order: NDArray[np.int64],
) -> NDArray[np.float64] | NDArray[np.object_]:
    """Return the value that comes first in each bucket by an order."""
    _, places = np.unique(bucket[order], return_index=True)
    return values[order][places]


def _moment(
    rows: Rows, firsts: NDArray[np.int64], count: NDArray[np.float64], agg: Agg
) -> NDArray[np.float64]:
    lengths = np.diff(np.append(firsts, len(rows.count)))
    shift = np.minimum.reduceat(rows.mean, firsts)
    away = rows.count * (rows.mean - np.repeat(shift, lengths))
    mean = shift + np.add.reduceat(away, firsts) / count
    if agg == "mean":
        return mean
    spread = rows.m2 + rows.count * (rows.mean - np.repeat(mean, lengths)) ** 2
    m2 = np.add.reduceat(spread, firsts)
    found: NDArray[np.float64] = np.sqrt(m2 / np.where(count > 1, count - 1, np.nan))
    return found


def filled(points: Points, starts: Micros, fill: Fill) -> Points:
    """Give every bucket a point: without a value, the one before, or on the line between.

    A bucket whose value is none, as the deviation of one reading, is filled like an empty one.
    """
    if fill == "none":
        return points
    if points.values.dtype == np.float64:
        points = points.at(np.flatnonzero(np.isfinite(points.values)))
    places = np.searchsorted(starts, points.times)
    known = np.full(len(starts), -1, np.int64)
    known[places] = np.arange(len(places))
    if fill == "linear":
        if not len(points.times):
            return Points(starts, np.full(len(starts), np.nan))
        numbers = points.values.astype(np.float64)
        return Points(starts, np.interp(starts, points.times, numbers, left=np.nan, right=np.nan))
    if fill == "previous":
        known = np.maximum.accumulate(known)
    nothing = np.nan if points.values.dtype == np.float64 else None
    padded = np.append(points.values, np.array([nothing], points.values.dtype))
    return Points(starts, padded[known])
