"""What rules remembered in format 1, in which means were doubles and singles, as of today."""

import numpy as np

from detection.memory import Bytes
from detection.rules.batches import Arrays
from detection.rules.hours import HOUR_BYTES, PARTS, put_ring
from detection.rules.narrow import Means
from detection.rules.packing import FORMAT
from detection.rules.series_watch import HEAD_BYTES
from detection.rules.spans import STATE_NUMBERS
from telemetry.rules.checks import Ratio, Seasonal
from telemetry.rules.rule import Rule

_RING = PARTS + 1
_OLD_HOUR = 8 * (STATE_NUMBERS + 2 * _RING)
_OLD_SPREAD = 8 * 4


def hours_of(form: int, hours: Bytes) -> Bytes:
    """Return the hours of series that were saved in a format."""
    return hours if form == FORMAT else _hours_of_today(hours)


def state_of(form: int, rule: Rule, state: Arrays) -> Arrays:
    """Return what a rule remembered in a format, all of it or changes."""
    if form == FORMAT or "owners" not in state:
        return state
    old = state["states"].astype(np.uint8)
    kept = np.ascontiguousarray(old[:, HEAD_BYTES:])
    match rule.check:
        case Ratio(against="hour"):
            own = _spread_of_today(kept[:, _OLD_HOUR:])
            kept = np.hstack([_hours_of_today(np.ascontiguousarray(kept[:, :_OLD_HOUR])), own])
        case Ratio() | Seasonal():
            kept = _season_of_today(kept, rule.check.slots)
    # What is older still knows of no stored baselines.
    none = np.zeros(len(old), np.int32)
    states = np.hstack([old[:, :HEAD_BYTES], kept])
    return {"asked": none, "taught": none, **state, "states": states}


def _hours_of_today(old: Bytes) -> Bytes:
    totals, counts = np.split(old.view(np.float64)[:, STATE_NUMBERS:], 2, axis=1)
    new = np.zeros((len(old), HOUR_BYTES), np.uint8)
    new[:, : 8 * STATE_NUMBERS] = old[:, : 8 * STATE_NUMBERS]
    put_ring(new, totals, counts)
    return new


def _season_of_today(old: Bytes, slots: int) -> Bytes:
    begin = 8 * STATE_NUMBERS + _OLD_SPREAD
    between = begin + -(-4 * slots // 8) * 8
    seen = old[:, between : between + -(-slots // 8)]
    means = np.zeros((len(old), Means.BYTES * slots), np.uint8)
    series, slot = np.indices((len(old), slots))
    singles = np.ascontiguousarray(old[:, begin : begin + 4 * slots]).view(np.float32)
    Means(means, slots)[series, slot] = np.nan_to_num(singles.astype(np.float64))
    own = _spread_of_today(old[:, 8 * STATE_NUMBERS : begin])
    new = np.hstack([old[:, : 8 * STATE_NUMBERS], own, means, seen])
    return np.pad(new, ((0, 0), (0, -new.shape[1] % 8)))


def _spread_of_today(old: Bytes) -> Bytes:
    """Leave out what follows from the sums before: a filter's own number."""
    numbers = np.ascontiguousarray(old).view(np.float64)
    return np.ascontiguousarray(numbers[:, 1::2]).view(np.uint8)
