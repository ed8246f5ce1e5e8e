"""Wider windows in the place of what retention took: each part of a span from what still has it."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from services.query.planning import Span, Tier, expired
from services.query.retained import Gap

Part = TypeVar("Part")


class Kept(Protocol[Part]):
    """What is left of the tables that a range is read from."""

    @property
    def known_by(self) -> Sequence[Tier]:
        """Return the tiers that tell of what retention took, the narrowest first."""

    def gaps(self, span: Span) -> list[Gap]:
        """Return the parts of a span that its table has no more."""

    def windows(self, span: Span) -> list[Part]:
        """Return all windows of a span, open ones too."""

    def nothing(self, span: Span) -> Part:
        """Return a span without rows."""

    def tells_of(self, around: Span, span: Span) -> bool:
        """Say whether windows of `around` may hold values of a span within it."""


def still_there(
    span: Span, read: Callable[[Span], list[Part]], instead: Sequence[Tier], kept: Kept[Part]
) -> list[Part]:
    """Read a span, and what retention took out of its table from the tiers that may stand in."""
    gaps = kept.gaps(span)
    if not gaps:
        return read(span)
    beyond = [tier for tier in instead if tier.width_us > span.tier.width_us]
    found, at = list[Part](), span.start_us
    for start, end in gaps:
        if at < start:
            found += read(Span(span.tier, at, start))
        found += _stood_in(Span(span.tier, start, end), beyond, kept)
        at = end
    return found + read(Span(span.tier, at, span.end_us)) if at < span.end_us else found


def _stood_in(span: Span, beyond: Sequence[Tier], kept: Kept[Part]) -> list[Part]:
    """Read the windows that lie within a span from the narrowest tier that has them."""
    if not beyond:
        return [_left_over(span, kept)]
    tier, *rest = beyond
    start = -(-span.start_us // tier.width_us) * tier.width_us
    end = span.end_us // tier.width_us * tier.width_us
    if start >= end:
        return _stood_in(span, rest, kept)
    parts: list[Part] = []
    if span.start_us < start:
        parts += _stood_in(span._replace(end_us=start), rest, kept)
    parts += still_there(Span(tier, start, end), kept.windows, rest, kept)
    if end < span.end_us:
        parts += _stood_in(span._replace(start_us=end), rest, kept)
    return parts


def _left_over(span: Span, kept: Kept[Part]) -> Part:
    """Declare what is told of only by windows that reach beyond the span."""
    for tier in kept.known_by:
        width = tier.width_us
        around = Span(tier, span.start_us // width * width, -(-span.end_us // width) * width)
        if kept.gaps(around):
            continue
        if kept.tells_of(around, span):
            return kept.nothing(span._replace(tier=expired(tier)))
        break
    return kept.nothing(span)
