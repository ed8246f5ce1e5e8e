"""Fields of foreign payloads: found by their paths, converted, held against conditions."""

import math
import operator
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec
import orjson

from telemetry.message import parse_time, shown

Operator = Literal["==", "!=", "<", "<=", ">", ">="]
_OPERATORS: Mapping[Operator, Callable[[object, object], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,  # type: ignore[dict-item]
    "<=": operator.le,  # type: ignore[dict-item]
    ">": operator.gt,  # type: ignore[dict-item]
    ">=": operator.ge,  # type: ignore[dict-item]
}
UNITS: Mapping[tuple[str, str], tuple[float, float]] = {
    ("degF", "degC"): (5 / 9, -160 / 9),
    ("K", "degC"): (1.0, -273.15),
    ("W", "kW"): (0.001, 0.0),
    ("kW", "W"): (1000.0, 0.0),
    ("Wh", "kWh"): (0.001, 0.0),
    ("mV", "V"): (0.001, 0.0),
    ("mA", "A"): (0.001, 0.0),
    ("mbar", "hPa"): (1.0, 0.0),
    ("Pa", "hPa"): (0.01, 0.0),
    ("psi", "bar"): (0.0689475729, 0.0),
    ("mph", "km/h"): (1.609344, 0.0),
}
"""From and to: what to multiply by, then what to add."""

WHOLE = "."
"""The path of a payload that is a value itself: a number, a truth value or a text."""
TimeUnit = Literal["iso", "s", "ms", "us"]
_MICROSECONDS: Mapping[TimeUnit, int] = {"s": 1_000_000, "ms": 1_000, "us": 1}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a metric's value comes from."""

    path: str | None = None
    """Names with dots between them, a number is a place in a list; `.` is the payload itself."""
    constant: float | str | bool | None = None
    unit: tuple[str, str] | None = None
    scale: float = 1.0
    offset: float = 0.0


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What must hold of a payload, or it is left out."""

    path: str
    op: Operator
    value: float | str | bool


class UnreadableError(Exception):
    """A payload has not what a rule wants of it."""


def found_at(data: object, path: str) -> object:
    """Return what stands at a path, None if nothing does."""
    if path == WHOLE:
        return data
    for step in path.split("."):
        if isinstance(data, dict):
            data = data.get(step)
        elif isinstance(data, list) and step.isdecimal() and int(step) < len(data):
            data = data[int(step)]
        else:
            return None
    return data


def holds(condition: Condition, data: object) -> bool:
    """Say whether a condition holds of a payload; what cannot be compared does not."""
    try:
        return _OPERATORS[condition.op](found_at(data, condition.path), condition.value)
    except TypeError:
        return False


def value_of(field: Field, data: object) -> float | str | bool | None:
    """Return a metric's value, None where the payload has none; raise `UnreadableError`."""
    if field.path is None:
        return field.constant
    value = found_at(data, field.path)
    if not isinstance(value, bool | str | int | float):
        return None
    factor, addend = UNITS[field.unit] if field.unit else (1.0, 0.0)
    if field.scale == factor == 1.0 and field.offset == addend == 0.0:
        return value
    found = (_number(value, field.path) * factor + addend) * field.scale + field.offset
    if not math.isfinite(found):
        # Left out, its metric would be missing from a message that says nothing of it.
        raise UnreadableError(f"{field.path} is beyond all numbers: {shown(value)}, converted")
    return found


def _number(value: object, path: str) -> float:
    """Return a number, or the number that a text is; raise for what cannot be converted."""
    said = value
    if isinstance(value, str):
        with suppress(orjson.JSONDecodeError):
            said = orjson.loads(value)
    if isinstance(said, bool) or not isinstance(said, int | float):
        raise UnreadableError(f"{path} is no number: {shown(value)}")
    return said


def moment_at(data: object, path: str, unit: TimeUnit) -> str | None:
    """Return the ISO time at a path, None where nothing stands there; raise `UnreadableError`.

    Left out, a time that is none would be the time of receipt, and nobody would know.
    """
    said = found_at(data, path)
    if said is None:
        return None
    if unit != "iso":
        return _iso(_number(said, path), unit, path)
    if not isinstance(said, str) or parse_time(said) is None:
        hint = "; of a number say its time_unit" if isinstance(said, int | float) else ""
        raise UnreadableError(f"{path} is no ISO time: {shown(said)}{hint}")
    return said


def _iso(number: float, unit: TimeUnit, path: str) -> str:
    """Return the ISO time of a number of `unit` since 1970."""
    try:
        moment = _EPOCH + timedelta(microseconds=round(number * _MICROSECONDS[unit]))
    except (OverflowError, ValueError) as error:
        raise UnreadableError(f"{path} is no time in {unit}: {shown(number)}") from error
    return moment.isoformat().replace("+00:00", "Z")
