"""When an alarm is due and when it is over: k of the last n, and back within the hysteresis."""

import numpy as np
from numpy.typing import NDArray

from detection.memory import Bytes, Matrix
from detection.rules.looks import Limits, Look, Mask
from detection.rules.readings import Times
from telemetry.rules.rule import MOST_READINGS, Persistence

Events = NDArray[np.int8]
"""1: an alarm begins with the reading; -1: it is over; 0: nothing changes."""
STATE_BYTES = 24
_FIRING = 1 << 62
"""Added to the time since when an alarm lasts; 0: none lasts."""


def broken(look: Look, limits: Limits, least_deviation: float) -> tuple[Mask, Matrix]:
    """Say which subjects lie beyond a bound, and which bound that is (the nearer one for others).

    They must also lie `least_deviation` from the baseline, or beyond the bound where there is none.
    """
    low, high = _bound(look, limits.low), _bound(look, limits.high)
    is_low, is_high = look.subject < low, look.subject > high
    is_nearer_low = np.abs(look.subject - low) < np.abs(look.subject - high)
    bound = np.where(is_low | (is_nearer_low & ~is_high), low, high)
    reference = np.where(np.isfinite(look.baseline), look.baseline, bound)
    far = np.abs(look.subject - reference) >= least_deviation
    return (is_low | is_high) & far, bound


def cleared(look: Look, limits: Limits, hysteresis: float) -> Mask:
    """Say which subjects lie within the bounds by the hysteresis."""
    low, high = _bound(look, limits.low + hysteresis), _bound(look, limits.high - hysteresis)
    return np.asarray((look.subject >= low) & (look.subject <= high))


def _bound(look: Look, limit: float) -> Matrix:
    if np.isinf(limit):
        return np.full(look.subject.shape, limit)
    return np.asarray(look.centre + limit * look.scale)


def judge(
    breaks: Mask, clears: Mask, times: Times, persistence: Persistence, states: Bytes
) -> Events:
    """Say where alarms begin and end; `states` (`STATE_BYTES` a series) moves on in place.

    One begins with a reading that breaks the bound, as the k-th of the last n. It is over with a
    reading back within the hysteresis, once fewer than k of the last n break the bound and k are
    back.
    """
    k, n = persistence.k, persistence.n
    bits, since = states[:, :16].view(np.uint64), states[:, 16:24].view(np.int64)
    broke, back = _last(breaks, bits[:, 0], n), _last(clears, bits[:, 1], n)
    begins = breaks & (broke >= k)
    ends = clears & (broke < k) & (back >= k)
    place = np.arange(breaks.shape[1])
    begun = np.maximum.accumulate(np.where(begins, place, -1), axis=1)
    ended = np.maximum.accumulate(np.where(ends, place, -1), axis=1)
    lasts = (begun > ended) | ((begun == ended) & (since > 0))
    before = np.concatenate([since > 0, lasts[:, :-1]], axis=1)
    events = lasts.astype(np.int8) - before.astype(np.int8)
    _note(events, lasts[:, -1], times, since)
    for row, flags in enumerate((breaks, clears)):
        bits[:, row] = _packed(flags, bits[:, row])
    return np.asarray(events)


def lasting_since(states: Bytes) -> Times:
    """Return since when each series' alarm lasts, in microseconds; -1 where none does."""
    since = states[:, 16:24].view(np.int64)[:, 0]
    return np.where(since > 0, since - _FIRING, -1)


def _note(events: Events, lasts: NDArray[np.bool_], times: Times, since: Times) -> None:
    place = np.arange(events.shape[1])
    newest = np.where(events == 1, place, -1).max(axis=1)
    began = times[np.arange(len(times)), np.maximum(newest, 0)] + _FIRING
    since[:, 0] = np.where(lasts, np.where(newest >= 0, began, since[:, 0]), 0)


def _last(flags: Mask, bits: NDArray[np.uint64], n: int) -> NDArray[np.int64]:
    """Count the flags among the last n, each place's own among them."""
    if n == 1:
        return flags.astype(np.int64)
    places = np.arange(n - 2, -1, -1, dtype=np.uint64)
    past = (bits[:, None] >> places) & np.uint64(1)
    total = np.cumsum(np.concatenate([past.astype(np.int64), flags], axis=1), axis=1)
    total = np.concatenate([np.zeros((len(flags), 1), np.int64), total], axis=1)
    return np.asarray(total[:, n:] - total[:, :-n])


def _packed(flags: Mask, bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the newest flags as bits, the last one lowest, before older bits."""
    tail = flags[:, -MOST_READINGS:].astype(np.uint64)
    count = tail.shape[1]
    places = np.arange(count - 1, -1, -1, dtype=np.uint64)
    newest = np.bitwise_or.reduce(tail << places, axis=1)
    if count == MOST_READINGS:
        return np.asarray(newest)
    return np.asarray((bits << np.uint64(count)) | newest)
