"""Which tables a range is read from: wide windows within, finer ones and raw at the seams.

    asked     |----------------------------------------------|
    day             [===========|===========]
    hour       [=|=]                         [=|=|=|=]
    minute    .                                       [=]
    raw                                                  [~~~]   past the watermark

Every moment of the range is in exactly one span, so nothing is counted twice.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from telemetry.tables import DEVICE_WINDOWS, WINDOW_MINUTES

TierName = Literal["raw", "minute", "five_minutes", "hour", "day", "sliding", "sessions", "expired"]
SHORT_US = 2 * 86_400_000_000
"""Ranges up to this are read raw."""


class Tier(NamedTuple):
    """A source of a series: a table of windows of one width in microseconds; raw has none."""

    name: TierName
    width_us: int
    table: str

    def fits(self, bucket_us: int) -> bool:
        """Say whether no window crosses the end of a bucket, or each is of whole buckets."""
        return bucket_us % self.width_us == 0 or self.width_us % bucket_us == 0


RAW = Tier("raw", 0, "silver.readings")
_NAMES: tuple[TierName, ...] = ("day", "hour", "five_minutes", "minute")
WINDOWS = tuple(
    Tier(name, WINDOW_MINUTES[name] * 60_000_000, DEVICE_WINDOWS[name].name) for name in _NAMES
)
"""Tiers of windows, the widest first."""


def expired(held_by: Tier) -> Tier:
    """Return the tier of what only windows hold that reach beyond the range."""
    return Tier("expired", 0, held_by.table)


class Span(NamedTuple):
    """[start, end) in microseconds since 1970, and where it is read from."""

    tier: Tier
    start_us: int
    end_us: int


def tiers_for(span_us: int, bucket_us: int, *, divides: bool = False) -> Sequence[Tier]:
    """Return the tiers that may be read for buckets of this width, the widest first.

    `divides`: only windows that buckets are made up of exactly.
    """
    return () if span_us <= SHORT_US else windows_within(bucket_us, divides=divides)


def windows_within(bucket_us: int, *, divides: bool = False) -> Sequence[Tier]:
    """Return the tiers whose windows are no wider than a bucket, or that it is made up of."""
    return [
        tier
        for tier in WINDOWS
        if tier.width_us <= bucket_us and (not divides or bucket_us % tier.width_us == 0)
    ]


def spans(start_us: int, end_us: int, tiers: Sequence[Tier], final_us: int) -> list[Span]:
    """Cut a range into spans in order; windows that end after `final_us` are not used."""
    if start_us >= end_us:
        return []
    if not tiers:
        return [Span(RAW, start_us, end_us)]
    tier, *finer = tiers
    inner_start = -(-start_us // tier.width_us) * tier.width_us
    inner_end = min(end_us, final_us) // tier.width_us * tier.width_us
    if inner_start >= inner_end:
        return spans(start_us, end_us, finer, final_us)
    return [
        *spans(start_us, inner_start, finer, final_us),
        Span(tier, inner_start, inner_end),
        *spans(inner_end, end_us, finer, final_us),
    ]


def merged(parts: Sequence[Span]) -> tuple[Span, ...]:
    """Return spans in order, with those of one tier that follow one another as one."""
    found: list[Span] = []
    for span in parts:
        if found and found[-1].tier == span.tier:
            found[-1] = found[-1]._replace(end_us=span.end_us)
        else:
            found.append(span)
    return tuple(found)
