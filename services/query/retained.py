"""What retention has taken out of a table, though wider windows still tell of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from services.query.listing import Listing
from services.query.periods import periods
from services.query.planning import RAW, Span, Tier
from services.query.rows import Rows
from telemetry.tables import LATE, READINGS

RAW_TABLES = (READINGS, LATE)
Gap = tuple[int, int]
"""[start, end) in microseconds since 1970."""


def gone(
    span: Span, listings: Mapping[str, Listing], wider: Sequence[Tier], series: tuple[str, str]
) -> list[Gap]:
    """Return the parts of a span whose partitions its table has no more.

    Retention drops whole partitions of a class, so a class that wider tables hold for the series
    and that has no file here in some period has been dropped, or said nothing at all.
    """
    beyond = [listings[tier.table] for tier in wider if tier.width_us > span.tier.width_us]
    known = {kept for each in beyond for kept in each.held}
    missing = [gap for gap in _periods(span, beyond) if _lacks(listings, span.tier, gap[0], known)]
    if not missing:
        return []
    classes = {
        each.homes[n].retention_class
        for each in beyond
        for n in each.of_series(*series, span.start_us, span.end_us)
    }
    return [
        (max(start, span.start_us), min(end, span.end_us))
        for start, end in missing
        if _lacks(listings, span.tier, start, classes)
    ]


def _periods(span: Span, beyond: Sequence[Listing]) -> Iterator[Gap]:
    """Yield the partitions that a span touches, as far as wider windows reach."""
    if not beyond:
        return iter(())
    first = min(int(each.lows.min(initial=span.end_us)) for each in beyond)
    last = max(int(each.highs.max(initial=span.start_us)) for each in beyond)
    start, end = max(first, span.start_us), min(last + 1, span.end_us)
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
    found: list[Gap] = []
    for start, end in gaps:
        first, behind = np.searchsorted(rows.times, [start, end])
        if first < behind:
            continue
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def tells_of(rows: Rows, start_us: int, end_us: int) -> bool:
    """Say whether windows may hold values of [start, end)."""
    is_there = (rows.count > 0) & (rows.last_at >= start_us) & (rows.first_at < end_us)
    return bool(is_there.any())
