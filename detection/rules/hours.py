"""The last hour of a series, in five minutes: a baseline, and what an alert shows as evidence."""

import numpy as np
from numpy.typing import NDArray

from detection.keyed import blocks
from detection.memory import Bytes, Matrix
from detection.rules.readings import Rows, Times, Values
from detection.rules.spans import STATE_NUMBERS, Ended, runs, spread_over

FIVE_MINUTES_US = 300_000_000
PARTS = 12
_RING = PARTS + 1
HOUR_BYTES = 8 * (STATE_NUMBERS + 2 * _RING)


def hour_before(values: Matrix, times: Times, states: Bytes) -> Matrix:
    """Return the mean of the twelve five minutes before each reading's own; NaN without any."""
    numbers = states[:, :HOUR_BYTES].view(np.float64)
    ring = numbers[:, STATE_NUMBERS:].reshape(len(numbers), 2, _RING)
    baseline = np.full(values.shape, np.nan)
    for ended, begun in runs(times // FIVE_MINUTES_US, values, numbers[:, :STATE_NUMBERS]):
        _note(ring, ended)
        spread_over(begun, _mean(ring[begun.series]), baseline)
    return baseline


def _note(ring: NDArray[np.float64], ended: Ended) -> None:
    """Put what ended into the ring, and clear what is too long ago for what follows."""
    place = ended.span % _RING
    ring[ended.series, 0, place], ring[ended.series, 1, place] = ended.total, ended.readings
    for later in range(1, _RING + 1):
        gone = ended.span + later <= ended.following
        ring[ended.series[gone], :, (ended.span[gone] + later) % _RING] = 0.0


def _mean(ring: NDArray[np.float64]) -> Values:
    # One addition after another: a sum over an axis may add in another order for other shapes.
    total, count = (sum(ring[:, row, place] for place in range(_RING)) for row in (0, 1))
    return np.asarray(np.divide(total, count, where=count > 0, out=np.full(len(ring), np.nan)))


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
        numbers = state.view(np.float64)[0]
        now = int(numbers[0])
        ring = numbers[STATE_NUMBERS:].reshape(2, _RING)
        past = [(span, *ring[:, span % _RING].tolist()) for span in range(now - PARTS, now)]
        found = [*past, (now, float(numbers[1]), float(numbers[2]))]
        return tuple(
            (span * FIVE_MINUTES_US, total / count) for span, total, count in found if count > 0
        )

    def _hold(self, count: int) -> None:
        missing = count - len(self._states)
        if missing > 0:
            more = np.zeros((max(missing, len(self._states)), HOUR_BYTES), np.uint8)
            self._states = np.concatenate([self._states, more])
