"""What each kind of check sees in a reading: a subject, and where its bounds are.

A look walks over a matrix of readings, a series a row, and changes the series' memory in place. A
reading is held against what came before it alone, so the same readings give the same look however
they are cut into batches.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detection.memory import Bytes, Matrix, Memory
from detection.rules.baselines import Weeks
from detection.rules.readings import Rows, Times
from detection.scoring import ALARM_FROM
from telemetry.rules.checks import Ewma, Mad, Range, Rate, Stuck, Threshold, ZScore
from telemetry.rules.words import span_us

Mask = NDArray[np.bool_]
LEAST_SHARE = 1e-6
"""No spread is taken for smaller than this share of its centre: constants are seldom exact."""
_MAD_TO_DEVIATION = 1.4826
_STEP_CELLS = 1 << 18


class Look(NamedTuple):
    """What is seen of readings: bounds lie at `centre` + limit times `scale`.

    `baseline` is NaN where the check has none; only `usable` readings can be judged.
    """

    subject: Matrix
    centre: Matrix
    scale: Matrix
    baseline: Matrix
    usable: Mask

    def where(self, kept: Rows) -> "Look":
        """Return some of the readings' look, of a look that is flat."""
        return Look(
            self.subject[kept],
            self.centre[kept],
            self.scale[kept],
            self.baseline[kept],
            self.usable[kept],
        )


def blank(count: int) -> Look:
    """Return a flat look to be filled."""
    subject, centre, scale, baseline = (np.empty(count) for _ in range(4))
    return Look(subject, centre, scale, baseline, np.empty(count, np.bool_))


class Limits(NamedTuple):
    """Bounds in the look's own units; an infinite one is none."""

    low: float
    high: float


Step = Callable[[Matrix, Times, Bytes], Look]
Seed = Callable[[Bytes, Weeks], None]


SCORE_LIMITS = Limits(-np.inf, float(np.nextafter(ALARM_FROM, 0.0)))
"""Bounds of a detector's score."""


class Looking(NamedTuple):
    """How a check looks: its memory a series in bytes, its step, its bounds.

    `seed` puts stored baselines in the place of what a series has not learnt yet.
    """

    state_bytes: int
    step: Step
    limits: Limits
    seed: Seed | None = None


def two_sided(limit: float, direction: str) -> Limits:
    """Return bounds at ± limit, or one of them."""
    low = -np.inf if direction == "above" else -limit
    high = np.inf if direction == "below" else limit
    return Limits(low, high)


def look_of_value(check: Threshold | Range) -> Looking:
    """Look at the reading itself."""
    if isinstance(check, Threshold):
        is_high = check.direction == "above"
        limits = Limits(-np.inf, check.bound) if is_high else Limits(check.bound, np.inf)
    else:
        low = -np.inf if check.direction == "above" else check.low
        limits = Limits(low, np.inf if check.direction == "below" else check.high)

    def step(values: Matrix, _times: Times, _states: Bytes) -> Look:
        return plain(values, np.ones(values.shape, np.bool_))

    return Looking(0, step, limits)


def plain(subject: Matrix, usable: Mask) -> Look:
    """Return a look whose bounds are the limits themselves."""
    nothing = np.full(subject.shape, np.nan)
    return Look(subject, np.zeros_like(subject), np.ones_like(subject), nothing, usable)


def look_of_rate(check: Rate) -> Looking:
    """Look at the change since the reading before, for each span `per`."""
    per = float(span_us("per", check.per))

    def step(values: Matrix, times: Times, states: Bytes) -> Look:
        memory = Memory(states.view(np.float64))
        before = memory.count(values)
        change = values - memory.previous(values)
        elapsed = times - memory.previous(times.astype(np.float64))
        usable = (before > 0) & (elapsed > 0)
        rate = np.divide(change * per, elapsed, where=usable, out=np.zeros_like(values))
        return plain(rate, usable)

    return Looking(3 * 8, step, two_sided(check.bound, check.direction))


def look_of_stuck(check: Stuck) -> Looking:
    """Look at how many seconds the reading has been the same; 0 for too few readings."""
    lasts = span_us("lasts", check.lasts) / 1e6

    def step(values: Matrix, times: Times, states: Bytes) -> Look:
        memory = Memory(states.view(np.float64))
        before = memory.count(values)
        changed = (values != memory.previous(values)) | (before == 0)
        at = times.astype(np.float64)
        since = memory.most(np.where(changed, at, 0.0))
        first = memory.most(np.where(changed, before, 0.0))
        lasted = np.where(before - first + 1.0 >= check.readings, (at - since) / 1e6, 0.0)
        return plain(lasted, np.ones(values.shape, np.bool_))

    return Looking(4 * 8, step, Limits(-np.inf, float(np.nextafter(lasts, 0.0))))


def look_of_zscore(check: ZScore) -> Looking:
    """Look at the reading about its weighted mean, in weighted deviations from it.

    Weights fall by 2 / (readings + 1) a reading. The variance is that of readings about the mean
    before each of them.
    """
    rate = 2.0 / (check.readings + 1.0)

    def step(values: Matrix, _times: Times, states: Bytes) -> Look:
        mean, spread, before = _past(values, Memory(states.view(np.float64)), rate)
        return Look(values, mean, spread, mean, before > 1)

    return Looking(_PAST * 8, step, two_sided(check.deviations, check.direction))


def look_of_ewma(check: Ewma) -> Looking:
    """Look at the smoothed reading about the long mean, in its own standard deviations."""
    rate = 2.0 / (check.readings + 1.0)
    narrower = float(np.sqrt(check.smoothing / (2.0 - check.smoothing)))

    def step(values: Matrix, _times: Times, states: Bytes) -> Look:
        memory = Memory(states.view(np.float64))
        mean, spread, before = _past(values, memory, rate)
        # The mean of a weighted sum that began at zero, as if it had begun at its readings.
        ones = np.ones_like(values)
        total, weight = (memory.weighted(each, check.smoothing) for each in (values, ones))
        return Look(total / weight, mean, spread * narrower, mean, before > 1)

    return Looking((_PAST + 2) * 8, step, two_sided(check.deviations, check.direction))


_PAST = 8


def _past(values: Matrix, memory: Memory, rate: float) -> tuple[Matrix, Matrix, Matrix]:
    """Return mean and spread of what came before each reading, and how many that were."""
    before = memory.count(values)
    ones = np.ones_like(values)
    weight = memory.weighted(ones, rate)
    mean_here = memory.weighted(values, rate) / weight
    mean = memory.previous(mean_here)
    squares = np.where(before > 0, (values - mean) ** 2, 0.0)
    counted = np.where(before > 0, ones, 0.0)
    total = memory.previous(memory.weighted(squares, rate))
    share = memory.previous(memory.weighted(counted, rate))
    variance = np.divide(total, share, where=share > 0, out=np.zeros_like(values))
    return mean, np.maximum(np.sqrt(variance), floor(mean)), before


def floor(centre: Matrix) -> Matrix:
    """Return the least spread about a centre."""
    return np.asarray(LEAST_SHARE * np.abs(centre) + 1e-9)


def look_of_mad(check: Mad) -> Looking:
    """Look at the reading about the median of the last ones, by their median deviation."""
    kept = check.readings

    def step(values: Matrix, _times: Times, states: Bytes) -> Look:
        numbers = states.view(np.float64)
        before = numbers[:, :1] + np.arange(values.shape[1])
        past = np.concatenate([numbers[:, 1:], values], axis=1)
        windows = np.lib.stride_tricks.sliding_window_view(past[:, :-1], kept, axis=1)
        median, deviation = _medians(windows)
        numbers[:, :1] += values.shape[1]
        numbers[:, 1:] = past[:, -kept:]
        scale = np.maximum(_MAD_TO_DEVIATION * deviation, floor(median))
        return Look(values, median, scale, median, before >= kept)

    return Looking((kept + 1) * 8, step, two_sided(check.deviations, check.direction))


def _medians(windows: Matrix) -> tuple[Matrix, Matrix]:
    """Return the median of each window, and the median distance from it."""
    shape, width = windows.shape[:2], windows.shape[2]
    median, deviation = np.empty(shape), np.empty(shape)
    rows = max(1, _STEP_CELLS // (shape[1] * width))
    for start in range(0, shape[0], rows):
        some = slice(start, start + rows)
        median[some] = _middle(np.sort(windows[some], axis=2))
        distances = np.abs(windows[some] - median[some][:, :, None])
        deviation[some] = _middle(np.sort(distances, axis=2))
    return median, deviation


def _middle(ordered: Matrix) -> Matrix:
    width = ordered.shape[2]
    return np.asarray((ordered[:, :, (width - 1) // 2] + ordered[:, :, width // 2]) / 2.0)
