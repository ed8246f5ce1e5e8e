"""Durations as people write them: `2 s`, `5 min`, `7 d`, `unbounded`."""

import re
from datetime import timedelta

from telemetry.errors import HeadwaterError

_SECONDS = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86400, "y": 365 * 86400}
_ALIASES = {
    "second": "s",
    "seconds": "s",
    "m": "min",
    "minute": "min",
    "minutes": "min",
    "hour": "h",
    "hours": "h",
    "day": "d",
    "days": "d",
    "year": "y",
    "years": "y",
}
_FORM = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*")
UNBOUNDED = "unbounded"
_MICROSECOND = timedelta(microseconds=1)
_LONGEST_S = 1e12
"""Some 30,000 years: in microseconds a few of them together are a number of 64 bits."""


def parse_duration(text: str) -> timedelta | None:
    """Return the duration, or None for `unbounded`; raise `HeadwaterError` for anything else."""
    if text.strip() == UNBOUNDED:
        return None
    found = _FORM.fullmatch(text.lower())
    unit = _ALIASES.get(found[2], found[2]) if found else ""
    if found is None or unit not in _SECONDS:
        raise HeadwaterError(f"{text!r} is not a duration: write 2 s, 5 min, 1 h, 7 d or unbounded")
    seconds = float(found[1]) * _SECONDS[unit]
    if seconds > _LONGEST_S:
        raise HeadwaterError(f"{text!r} is too long: write unbounded")
    return timedelta(seconds=seconds)


def micros(duration: timedelta | None) -> int | None:
    """Return whole microseconds, None for `unbounded`."""
    return None if duration is None else duration // _MICROSECOND


def format_duration(duration: timedelta | None) -> str:
    """Return the shortest form that `parse_duration` reads back exactly."""
    if duration is None:
        return UNBOUNDED
    micros = duration // timedelta(microseconds=1)
    for unit in ("d", "h", "min", "s", "ms"):
        size = round(_SECONDS[unit] * 1_000_000)
        if micros % size == 0 and (micros or unit == "s"):
            return f"{micros // size} {unit}"
    return f"{micros / 1000} ms"
