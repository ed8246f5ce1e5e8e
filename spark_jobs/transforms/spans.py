"""Spans of time that are made again: whole days, or parts of one."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

DAY = timedelta(days=1)
EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
"""No time is before the one or behind the other; clocks that were never set say the first."""


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time from `start` to `end`, exclusive."""

    start: datetime
    end: datetime

    def holds(self, column: str) -> pl.Expr:
        """Return the filter of a time within the span."""
        return (pl.col(column) >= self.start) & (pl.col(column) < self.end)

    def wider(self, by: timedelta) -> "Span":
        """Return the span with `by` more on both sides, as far as there is time."""
        return Span(earlier(self.start, by), later(self.end, by))


def days(first: date, last: date) -> Span:
    """Return the span of whole days, both inclusive."""
    return Span(midnight(first), later(midnight(last), DAY))


def midnight(day: date) -> datetime:
    """Return the UTC moment at which a day begins."""
    return datetime.combine(day, time(), UTC)


def earlier(moment: datetime, by: timedelta) -> datetime:
    """Return the moment so long before, or the earliest that there is."""
    return moment - by if by < moment - EARLIEST else EARLIEST


def later(moment: datetime, by: timedelta) -> datetime:
    """Return the moment so long after, or the latest that there is."""
    return moment + by if by < LATEST - moment else LATEST
