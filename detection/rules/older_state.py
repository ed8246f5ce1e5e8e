"""What rules remembered in formats of before, made what they remember today.

Format 1 had doubles, and singles for a week's means; format 2 three bytes for a mean of a week.
Both had thirteen places for an hour's five minutes. What they say of rigs, rigs know themselves.
"""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from detection.memory import Bytes, Matrix
from detection.rules.batches import Arrays
from detection.rules.hours import PARTS, hours_from
from detection.rules.narrow import Halves, single
from detection.rules.packing import FORMAT
from detection.rules.seasons import SPREAD_BYTES
from detection.rules.series_watch import HEAD_BYTES
from detection.rules.spans import SPAN_BYTES, put_spans
from telemetry.rules.checks import Ratio, Seasonal
from telemetry.rules.rule import Rule

_Kind = TypeVar("_Kind", bound=np.generic)
_RING = PARTS + 1
_SPAN = 8 * 3
"""Number, sum and count as doubles."""
_HOUR = {1: _SPAN + 16 * _RING, 2: _SPAN + 6 * _RING + 2}
_SPREAD = {1: 8 * 4, 2: 8 * 2}


def hours_of(form: int, hours: Bytes) -> Bytes:
    """Return the hours of series that were saved in a format."""
    return hours if form == FORMAT else _hours_of_today(form, hours)


def state_of(form: int, rule: Rule, state: Arrays) -> Arrays:
    """Return what a rule remembered in a format, all of it or changes."""
    if form == FORMAT or "owners" not in state:
        return state
    old = state["states"].astype(np.uint8)
    kept = old[:, HEAD_BYTES:]
    match rule.check:
        case Ratio(against="hour"):
            hour, own = np.split(kept, [_HOUR[form]], axis=1)
            kept = np.hstack([_hours_of_today(form, hour), _spread_of_today(form, own)])
        case Ratio() | Seasonal():
            kept = _season_of_today(form, kept, rule.check.slots)
    # What is of format 1 may know of no stored baselines.
    none = np.zeros(len(old), np.int32)
    states = np.hstack([old[:, :HEAD_BYTES], kept])
    return {"asked": none, "taught": none, **state, "states": states}


def _hours_of_today(form: int, old: Bytes) -> Bytes:
    if form == 1:
        totals, counts = np.split(_as(old, np.float64)[:, 3:], 2, axis=1)
        means = np.divide(totals, counts, where=counts > 0, out=np.zeros_like(totals))
    else:
        between = _SPAN + 4 * _RING
        means = _as(old[:, _SPAN:between], np.float32).astype(np.float64)
        counts = _as(old[:, between : between + 2 * _RING], np.uint16).astype(np.float64)
    current = _as(old[:, :_SPAN], np.float64)
    series, part = np.indices((len(old), PARTS))
    place = (current[:, :1].astype(np.int64) - PARTS + part) % _RING
    return hours_from(current, means[series, place], counts[series, place])


def _season_of_today(form: int, old: Bytes, slots: int) -> Bytes:
    begin = _SPAN + _SPREAD[form]
    numbers, seen = _WEEKS[form](old[:, begin:], slots)
    bits = np.unpackbits(np.ascontiguousarray(seen), axis=1, bitorder="little")[:, :slots]
    size = Halves.HEAD_BYTES + 2 * slots
    week = np.zeros((len(old), size + -size % 8), np.uint8)
    Halves(week, slots).put(np.where(bits > 0, numbers, np.nan))
    current = np.zeros((len(old), SPAN_BYTES), np.uint8)
    put_spans(current, _as(old[:, :_SPAN], np.float64))
    return np.hstack([current, _spread_of_today(form, old[:, _SPAN:begin]), week])


def _singles(old: Bytes, slots: int) -> tuple[Matrix, Bytes]:
    between = -(-4 * slots // 8) * 8
    return _as(old[:, : 4 * slots], np.float32).astype(np.float64), old[:, between:]


def _threes(old: Bytes, slots: int) -> tuple[Matrix, Bytes]:
    """Read sixteen binary digits and a single's exponent: two bytes of each, then one."""
    high = _as(old[:, : 2 * slots], np.uint16).astype(np.uint32) << 16
    low = old[:, 2 * slots : 3 * slots].astype(np.uint32) << 8
    return (high | low).view(np.float32).astype(np.float64), old[:, 3 * slots :]


_WEEKS: dict[int, Callable[[Bytes, int], tuple[Matrix, Bytes]]] = {1: _singles, 2: _threes}


def _spread_of_today(form: int, old: Bytes) -> Bytes:
    """Leave out what follows from the sums before: the own number of a filter of format 1."""
    numbers = _as(old[:, : _SPREAD[form]], np.float64)
    numbers = numbers[:, 1::2] if form == 1 else numbers
    return np.ascontiguousarray(single(numbers)).view(np.uint8).reshape(len(old), SPREAD_BYTES)


def _as(old: Bytes, kind: type[_Kind]) -> NDArray[_Kind]:
    return np.ascontiguousarray(old).view(kind)
