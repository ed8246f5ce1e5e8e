"""Refuses a product whose rows retention would drop while they are still needed.

A row of silver is dropped once its event is older than its class is kept. It is needed as long as
a late row may touch its window (a day, or a wider sliding window or gap of sessions), and as long
as a copy of its message may come, which is held against it. `history` may be of any age and never
late: its years count from when it came.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from telemetry.durations import format_duration
from telemetry.tables import MESSAGES

DAY = timedelta(days=1)
HISTORY = "history"
Span = timedelta | None
"""None for ever, or without bound."""


class Reach(NamedTuple):
    """How far back what comes may reach: None is unbounded."""

    lateness: Span
    max_age: Span
    dedup_horizon: Span
    widest_window: timedelta = DAY


class Kept(NamedTuple):
    """How long the class keeps rows of silver, and how long bronze keeps what they are made of."""

    name: str
    span: Span
    bronze_span: Span = None


def shortfalls(reach: Reach, kept: Kept) -> Iterator[str]:
    """Yield a sentence with both numbers for each need that retention does not meet."""
    says = f"retention {kept.name!r} keeps rows {format_duration(kept.span)}"
    if kept.bronze_span is not None and (kept.span is None or kept.span > kept.bronze_span):
        yield (
            f"{says}, but {MESSAGES.name}, from which they are made again, is kept"
            f" {format_duration(kept.bronze_span)}"
        )
    if kept.span is None:
        return
    is_ever_late = reach.lateness is not None
    if reach.max_age is None and is_ever_late:
        yield (
            f"{says}, but max_age is unbounded: a late row may need windows of any age; bound"
            " max_age, or keep rows forever"
        )
    elif reach.max_age is None and kept.name != HISTORY:
        yield (
            f"{says}, but lateness and max_age are unbounded: rows may be of any age, and copies of"
            " them come when they are gone; bound max_age, or keep rows as history or forever"
        )
    age = reach.max_age or timedelta()
    if reach.max_age is not None and age + reach.widest_window > kept.span:
        yield (
            f"{says}, but a late row of max_age {format_duration(age)} needs the"
            f" {format_duration(age + reach.widest_window)} of its windows; keep rows longer, or"
            " lower max_age"
        )
    if reach.dedup_horizon is None:
        yield f"{says}, but dedup_horizon is unbounded; bound it, or keep rows forever"
    elif age + reach.dedup_horizon > kept.span:
        yield (
            f"{says}, but a copy may come {format_duration(age + reach.dedup_horizon)} after the"
            " event of the first one (max_age and dedup_horizon); keep rows longer, or lower them"
        )
