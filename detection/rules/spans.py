"""Readings of one series in one span of time: their sums, taken up where a batch left off."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from detection.memory import Bytes, Matrix
from detection.rules.readings import Rows, Times, Values

SPAN_BYTES = 16
"""What is remembered of the span that is not over: its number, count and sum."""
_MOST_COUNT = np.iinfo(np.uint32).max


def spans_of(states: Bytes) -> Matrix:
    """Return number, sum and count of the span that is not over, a series a row."""
    span, count = states[:, :4].view(np.int32), states[:, 4:8].view(np.uint32)
    return np.hstack([span, states[:, 8:SPAN_BYTES].view(np.float64), count])


def put_spans(states: Bytes, spans: Matrix) -> None:
    """Remember what `spans_of` returns."""
    states[:, :4].view(np.int32)[:] = spans[:, :1]
    states[:, 4:8].view(np.uint32)[:] = np.minimum(spans[:, 2:], _MOST_COUNT)
    states[:, 8:SPAN_BYTES].view(np.float64)[:] = spans[:, 1:2]


class Ended(NamedTuple):
    """Spans that are over, a series each: who, which span, its readings, and the span behind it."""

    series: Rows
    span: Times
    total: Values
    readings: Values
    following: Times


class Begun(NamedTuple):
    """Runs of readings within one span, a series each, as places in the flattened matrix."""

    series: Rows
    span: Times
    first: Rows
    last: Rows


def runs(numbers: Times, values: Matrix, state: Matrix) -> Iterator[tuple[Ended, Begun]]:
    """Yield each series' spans in their order: what ended, then the readings of what begins.

    `numbers` say in which span each reading lies, a series a row, never falling; `state` (as
    `spans_of` returns it, zeros at first) is changed in place. Sums are taken from left to right,
    so where a batch is cut does not change a bit of them.
    """
    width = values.shape[1]
    flat = numbers.ravel()
    is_first = np.ones(flat.shape, np.bool_)
    is_first[1:] = flat[1:] != flat[:-1]
    is_first[::width] = True
    starts = np.flatnonzero(is_first)
    ends = np.r_[starts[1:], len(flat)]
    owners = starts // width
    place = np.arange(len(starts)) - np.searchsorted(owners, owners)
    run_of = np.cumsum(is_first) - 1
    # What a run goes on with comes first in its sum.
    goes_on = (place == 0) & (state[owners, 2] > 0) & (state[owners, 0] == flat[starts])
    order = np.flatnonzero(goes_on)
    weights = np.concatenate([state[owners[order], 1], values.ravel()])
    sums = np.bincount(np.concatenate([order, run_of]), weights, len(starts))
    counts = (ends - starts) + np.where(goes_on, state[owners, 2], 0.0)
    by_place = np.argsort(place, kind="stable")
    for mine in np.split(by_place, np.cumsum(np.bincount(place))[:-1]) if len(place) else ():
        series = owners[mine]
        over = np.flatnonzero((state[series, 2] > 0) & ~goes_on[mine])
        held, span = state[series[over]], flat[starts[mine]]
        before = held[:, 0].astype(np.int64)
        ended = Ended(series[over], before, held[:, 1], held[:, 2], span[over])
        yield ended, Begun(series, span, starts[mine], ends[mine])
        state[series] = np.column_stack([span, sums[mine], counts[mine]])


def spread_over(begun: Begun, found: Values, into: Matrix) -> None:
    """Give each reading of a run what was found for the run."""
    flat = into.reshape(-1)
    lengths = begun.last - begun.first
    starts = np.repeat(begun.first - np.r_[0, np.cumsum(lengths)[:-1]], lengths)
    flat[starts + np.arange(int(lengths.sum()))] = np.repeat(found, lengths)
