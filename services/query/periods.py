"""Partitions by date as spans of time."""

from collections.abc import Iterator
from datetime import date, timedelta

_EPOCH = date(1970, 1, 1)
DAY_US = 86_400_000_000


def period_start(day: object) -> int:
    """Return where a partition of this date begins, in microseconds since 1970."""
    assert isinstance(day, date)
    return (day - _EPOCH).days * DAY_US


def period_end(day: object, table_name: str) -> int:
    """Return where it ends: after a day; a month or year for tables of hours, sessions or days."""
    assert isinstance(day, date)
    if table_name.endswith("_day"):
        return period_start(date(day.year + 1, 1, 1))
    if table_name.endswith(("_hour", ".sessions")):
        return period_start((day.replace(day=28) + timedelta(days=4)).replace(day=1))
    return period_start(day) + DAY_US


def periods(start_us: int, end_us: int, table_name: str) -> Iterator[tuple[int, int]]:
    """Yield where each partition of a table begins and ends that [start, end) touches."""
    at = period_start(_first_of_period(start_us, table_name))
    while at < end_us:
        end = period_end(_date(at), table_name)
        yield at, end
        at = end


def _first_of_period(at_us: int, table_name: str) -> date:
    day = _date(at_us)
    if table_name.endswith("_day"):
        return date(day.year, 1, 1)
    return day.replace(day=1) if table_name.endswith(("_hour", ".sessions")) else day


def _date(at_us: int) -> date:
    return _EPOCH + timedelta(days=at_us // DAY_US)
