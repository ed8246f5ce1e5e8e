"""What callers write in a query, read into times, numbers and names."""

import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from pydantic import Field

from services.problems import Fault, Problem
from services.query.periods import DAY_US
from services.query.times import micros

MOST_POINTS, USUAL_POINTS = 10_000, 1_000
_EARLIEST, _LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_WHOLE = re.compile(r"-?\d{1,19}")
_NANOS_BY_DIGITS = {10: 1_000_000_000, 13: 1_000_000, 19: 1}
TIME = (
    "ISO 8601 with a zone, such as 2026-11-21T08:00:00Z, or microseconds since 1970; "
    "10 digits are seconds, 13 milliseconds, 19 nanoseconds"
)
TimeText = Annotated[str, Field(description=TIME, max_length=40, examples=["2026-11-21T08:00:00Z"])]
LONGEST_NAME = 1024
"""Letters: a full name of a device has up to 257, and a metric without a schema any name."""
NameText = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
ZoneText = Annotated[str, Field(max_length=LONGEST_NAME, description="a zone; '': what is in none")]


def time_of(text: str, where: str) -> int:
    """Return a time in microseconds since 1970, or answer what is wrong with it."""
    try:
        if _WHOLE.fullmatch(text):
            found = _since_1970(text)
        else:
            at = datetime.fromisoformat(_as_meant(text).upper())
            if at.tzinfo is None:
                raise wrong(where, f"{text!r} names no zone: add Z or +01:00")
            found = micros(at)
    except (ValueError, OverflowError) as error:
        raise wrong(where, f"{text!r} is no time: {TIME}") from error
    if not micros(_EARLIEST) <= found < micros(_LATEST):
        raise wrong(where, f"{text!r} is not between 1900 and 2200")
    return found


def _since_1970(text: str) -> int:
    """Tell the unit by the digits: each has the years 2001 to 2286 for its own."""
    return int(text) * _NANOS_BY_DIGITS.get(len(text.lstrip("-")), 1000) // 1000


def _as_meant(text: str) -> str:
    """Put back the + of a zone, which comes as a blank where the caller did not encode it."""
    head, blank, zone = text.rpartition(" ")
    return f"{head}+{zone}" if blank and ("T" in head.upper() or " " in head) else text


def range_of(start: str, end: str) -> tuple[int, int]:
    """Return [start, end) in microseconds since 1970."""
    start_us, end_us = time_of(start, "query.start"), time_of(end, "query.end")
    if start_us >= end_us:
        raise wrong("query.end", f"end {end!r} is not after start {start!r}")
    return start_us, end_us


def range_around(start: str | None, end: str | None, now_us: int) -> tuple[int, int]:
    """Return the range; the end that nobody named is a day from the other, or from now."""
    if start is not None and end is not None:
        return range_of(start, end)
    if end is not None:
        end_us = time_of(end, "query.end")
        return end_us - DAY_US, end_us
    start_us = now_us - DAY_US if start is None else time_of(start, "query.start")
    return start_us, max(now_us, start_us) + DAY_US


def wrong(where: str, reason: str) -> Problem:
    """Say what is wrong with one parameter."""
    faults = [Fault(where=where, reason=reason)]
    return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{where}: {reason}", errors=faults)
