"""The last hour of a series, in five minutes: a baseline, and what an alert shows as evidence."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detection.keyed import blocks
from detection.memory import Bytes, Matrix
from detection.rules.narrow import single
from detection.rules.readings import Rows, Times, Values
from detection.rules.spans import SPAN_BYTES, Ended, put_spans, runs, spans_of, spread_over

FIVE_MINUTES_US = 300_000_000
PARTS = 12
HOUR_BYTES = SPAN_BYTES + 5 * PARTS
_MOST_COUNT = np.iinfo(np.uint8).max
"""Of five minutes with more readings, the mean weighs as if it had so many."""


class _Ring(NamedTuple):
    """Of each five minutes that are over, the mean to seven digits, and its readings."""

    means: NDArray[np.float32]
    counts: NDArray[np.uint8]

    @classmethod
    def of(cls, states: Bytes) -> "_Ring":
        """Return the ring that lies in states, a series a row."""
        between = SPAN_BYTES + 4 * PARTS
        return cls(states[:, SPAN_BYTES:between].view(np.float32), states[:, between:HOUR_BYTES])


def hour_before(values: Matrix, times: Times, states: Bytes) -> Matrix:
    """Return the mean of the twelve five minutes before each reading's own; NaN without any."""
    ring = _Ring.of(states)
    baseline = np.full(values.shape, np.nan)
    spans = times // FIVE_MINUTES_US
    current = spans_of(states)
    for ended, begun in runs(spans, values, current):
        _note(ring, ended)
        spread_over(begun, _mean(ring, begun.series), baseline)
    put_spans(states, current)
    return baseline


def hours_from(current: Matrix, means: Matrix, counts: Matrix) -> Bytes:
    """Return states of hours, a series a row: the five minutes of now, then the twelve before."""
    states = np.zeros((len(current), HOUR_BYTES), np.uint8)
    put_spans(states, current)
    ring = _Ring.of(states)
    series, part = np.indices(means.shape)
    place = (current[:, :1].astype(np.int64) - PARTS + part) % PARTS
    ring.means[series, place] = single(means)
    ring.counts[series, place] = np.minimum(counts, _MOST_COUNT)
    return states


def _note(ring: _Ring, ended: Ended) -> None:
    """Put what ended into the ring, and clear what is too long ago for what follows."""
    place = ended.span % PARTS
    ring.means[ended.series, place] = single(ended.total / ended.readings)
    ring.counts[ended.series, place] = np.minimum(ended.readings, _MOST_COUNT)
    for later in range(1, PARTS + 1):
        gone = ended.span + later < ended.following
        stale = ended.series[gone], (ended.span[gone] + later) % PARTS
        ring.means[stale], ring.counts[stale] = 0.0, 0


def _mean(ring: _Ring, series: Rows) -> Values:
    counts = ring.counts[series].astype(np.float64)
    totals = ring.means[series] * counts
    # One addition after another: a sum over an axis may add in another order for other shapes.
    total = np.asarray(sum(totals[:, place] for place in range(PARTS)))
    count = np.asarray(sum(counts[:, place] for place in range(PARTS)))
    return np.asarray(np.divide(total, count, where=count > 0, out=np.full(len(series), np.nan)))


class Hours:
    """The last hour of every series of a roster."""

    def __init__(self, states: Bytes | None = None) -> None:
        self._states = np.zeros((0, HOUR_BYTES), np.uint8) if states is None else states.copy()

    def first(self, count: int) -> Bytes:
        """Return what is remembered of so many series, a series a row."""
        self._hold(count)
        return self._states[:count]

    def of(self, numbers: Rows) -> Bytes:
        """Return what is remembered of some series."""
        self._hold(int(numbers.max(initial=-1)) + 1)
        return self._states[numbers]

    def put(self, numbers: Rows, states: Bytes) -> None:
        """Remember this of some series."""
        self._hold(int(numbers.max(initial=-1)) + 1)
        self._states[numbers] = states

    def take(self, numbers: Rows, values: Values, times: Times) -> None:
        """Take up readings; `numbers` say whose each one is."""
        spans = times // FIVE_MINUTES_US
        newest = np.zeros(int(numbers.max(initial=-1)) + 1, np.int64)
        newest[numbers] = spans
        # What is longer ago leaves no trace.
        recent = np.flatnonzero(spans >= newest[numbers] - PARTS)
        for rows, places in blocks(numbers[recent]):
            cells = recent[places]
            states = self.of(rows)
            hour_before(values[cells], times[cells], states)
            self._states[rows] = states

    def evidence(self, row: int, values: Values, times: Times) -> tuple[tuple[int, float], ...]:
        """Return the hour that ends with these readings, which are not taken up: start and mean.

        The last mean is of the five minutes that are not over.
        """
        recent = times // FIVE_MINUTES_US >= times[-1] // FIVE_MINUTES_US - PARTS
        values, times = values[recent], times[recent]
        state = self.of(np.array([row]))
        hour_before(values[None, :], times[None, :], state)
        ((now, total, count),) = spans_of(state).tolist()
        (means,), (counts,) = _Ring.of(state)
        past = [
            # The shortest decimal that is this mean to as many digits as are kept.
            (span * FIVE_MINUTES_US, float(str(means[span % PARTS])))
            for span in range(int(now) - PARTS, int(now))
            if counts[span % PARTS]
        ]
        return (*past, (int(now) * FIVE_MINUTES_US, total / count))

    def _hold(self, count: int) -> None:
        missing = count - len(self._states)
        if missing > 0:
            more = np.zeros((max(missing, len(self._states)), HOUR_BYTES), np.uint8)
            self._states = np.concatenate([self._states, more])
