"""Spans of time that are made again: whole days, or parts of one."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import polars as pl

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time from `start` to `end`, exclusive."""

    start: datetime
    end: datetime

    def holds(self, column: str) -> pl.Expr:
        """Return the filter of a time within the span."""
        return (pl.col(column) >= self.start) & (pl.col(column) < self.end)

    def wider(self, by: timedelta) -> "Span":
        """Return the span with `by` more on both sides."""
        return Span(self.start - by, self.end + by)


def days(first: date, last: date) -> Span:
    """Return the span of whole days, both inclusive."""
    return Span(midnight(first), midnight(last) + DAY)


def midnight(day: date) -> datetime:
    """Return the UTC moment at which a day begins."""
    return datetime.combine(day, time(), UTC)
