"""What retention has taken out of a table, though wider windows still tell of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from services.query.listing import Listing
from services.query.periods import periods
from services.query.planning import RAW, Span, Tier
from services.query.rows import Rows
from telemetry.tables import LATE, READINGS

MILLISECOND_US = 1000
RAW_TABLES = (READINGS, LATE)
Gap = tuple[int, int]
"""[start, end) in microseconds since 1970."""


def gone(
    span: Span,
    listings: Mapping[str, Listing],
    wider: Sequence[Tier],
    series: tuple[str | None, str | None],
) -> list[Gap]:
    """Return the parts of a span whose partitions its table has no more.

    Retention drops whole partitions of a class, so a class that wider tables hold for the series
    and that has no file here in some period has been dropped, or said nothing at all.
    """
    beyond = [
        (listings[tier.table], tier.width_us)
        for tier in wider
        if tier.width_us > span.tier.width_us
    ]
    known = {kept for each, _ in beyond for kept in each.held}
    missing = [gap for gap in _periods(span, beyond) if _lacks(listings, span.tier, gap[0], known)]
    if not missing:
        return []
    classes = {
        each.homes[n].retention_class
        for each, width in beyond
        # Windows are listed by their starts, which statistics put up to a millisecond too late.
        for n in each.of_series(*series, span.start_us - width + MILLISECOND_US, span.end_us)
    }
    return [
        (max(start, span.start_us), min(end, span.end_us))
        for start, end in missing
        if _lacks(listings, span.tier, start, classes)
    ]


def _periods(span: Span, beyond: Sequence[tuple[Listing, int]]) -> Iterator[Gap]:
    """Yield the partitions that a span touches, as far as windows of these widths reach."""
    found = [
        (int(each.lows.min()), int(each.highs.max()) // width * width + width)
        for each, width in beyond
        if each.paths
    ]
    if not found:
        return iter(())
    start = max(span.start_us, min(first for first, _ in found))
    end = min(span.end_us, max(last for _, last in found))
    return periods(start, end, span.tier.table) if start < end else iter(())


def _lacks(
    listings: Mapping[str, Listing], tier: Tier, start_us: int, classes: Iterable[str | None]
) -> bool:
    """Say whether a table has no partition that begins there of one of these classes."""
    names = [table.name for table in RAW_TABLES] if tier is RAW else [tier.table]
    return not all(
        any(start_us in listings[name].held.get(kept, ()) for name in names) for kept in classes
    )


def without_rows(gaps: Sequence[Gap], rows: Rows) -> list[Gap]:
    """Return the gaps in which there are no rows, those that touch as one."""
    bounds = [np.searchsorted(rows.times, gap) for gap in gaps]
    return touching(
        gap for gap, (first, behind) in zip(gaps, bounds, strict=True) if first == behind
    )


def touching(gaps: Iterable[Gap]) -> list[Gap]:
    """Return gaps in order, those that touch as one."""
    found: list[Gap] = []
    for start, end in gaps:
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def tells_of(rows: Rows, start_us: int, end_us: int) -> bool:
    """Say whether windows may hold values of [start, end)."""
    is_there = (rows.count > 0) & (rows.last_at >= start_us) & (rows.first_at < end_us)
    return bool(is_there.any())
