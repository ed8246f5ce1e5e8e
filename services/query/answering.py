"""An answer about one series: planned, read, thinned or aggregated, and declared."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeAlias

import numpy as np

from services.problems import Problem
from services.query.covering import Lookup, Wanted
from services.query.gaps import with_breaks, with_gaps
from services.query.pieces import TooManyRows
from services.query.planning import RAW, WINDOWS, Span, Tier, tiers_for, windows_within
from services.query.points import (
    NO_POINTS,
    Micros,
    Points,
    edges,
    extremes,
    last_of_each,
)
from services.query.reading import Found, Lake
from services.query.rows import EXTREME_COLUMNS, WINDOW_COLUMNS, Rows, candidates
from services.query.statistics import (
    NUMBERS_ONLY,
    WHOLE_US,
    WIDTHS,
    Agg,
    Fill,
    aggregated,
    filled,
    grid,
    width_for,
)
from telemetry.devices import split_full_name

HALVINGS = 12
Thinned: TypeAlias = tuple[Points, str, int | None]
"""Points, the method, and the width of its buckets in microseconds."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of one series; times in microseconds since 1970, [start, end)."""

    tenant: str
    device_full: str
    metric: str
    start_us: int
    end_us: int
    points: int = 1000
    agg: Agg | None = None
    fill: Fill = "none"

    @property
    def product(self) -> str:
        """Return the device's product."""
        return split_full_name(self.device_full)[0]


@dataclass(frozen=True, slots=True)
class Answer:
    """The points, and all that an answer says of how it came to be."""

    question: Question
    points: Points
    kind: str
    resolution: str
    method: str
    points_in: int
    spans: tuple[Span, ...]
    truncated: bool
    complete_until_us: int | None
    bucket_us: int | None
    seen: tuple[Lookup, ...]
    """The files that were looked up for it: while these are the same, so is the answer."""


Watermark = Callable[[str, str], int | None]


def answered(
    lake: Lake, watermark: Watermark, asked: Question, *, is_unbounded: bool = False
) -> Answer:
    """Answer; what holds more raw readings than may be read is read from windows, or less of it.

    `is_unbounded`: no window of the product is ever final; these are read as they stand.
    """
    # Before the tables' versions are looked up: what is final by then is in them.
    final_us = watermark(asked.tenant, asked.product)
    wanted, seen = planned(asked), list[Lookup]()
    try:
        found = lake.read(wanted, final_us, seen)
    except TooManyRows:
        tiers = _windows_for(asked) or wanted.tiers
        wanted = wanted._replace(tiers=tiers, takes_open=is_unbounded)
        wanted, found = _what_fits(lake, wanted, final_us, seen)
    said_us = found.final_us if final_us is None else final_us
    return _made(asked, wanted.end_us, found, said_us, seen)


def _windows_for(asked: Question) -> Sequence[Tier]:
    """Return the windows that buckets are made up of; where none are that narrow, minutes."""
    if asked.agg:
        return windows_within(_width(asked), divides=True)
    return windows_within((asked.end_us - asked.start_us) // _buckets(asked)) or WINDOWS[-1:]


def _what_fits(
    lake: Lake, wanted: Wanted, final_us: int | None, seen: list[Lookup]
) -> tuple[Wanted, Found]:
    """Read the range, or the first half of it, or half of that: as much as may be read."""
    for _ in range(HALVINGS):
        try:
            return wanted, lake.read(wanted, final_us, seen)
        except TooManyRows:
            middle = (wanted.start_us + wanted.end_us) // 2
            wanted = wanted._replace(end_us=max(middle, wanted.start_us + 1))
    raise Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        f"a file holds more than {lake.most_rows:,} readings of this series, and no window that is"
        " final holds them: ask for an earlier range",
    )


def planned(asked: Question) -> Wanted:
    """Choose the tiers and columns that the question needs."""
    span = asked.end_us - asked.start_us
    if asked.agg:
        tiers = tiers_for(span, _width(asked), divides=True)
    else:
        tiers = tiers_for(span, span // _buckets(asked))
    return Wanted(
        asked.tenant,
        asked.device_full,
        asked.metric,
        asked.start_us,
        asked.end_us,
        tiers,
        WINDOW_COLUMNS if asked.agg else EXTREME_COLUMNS,
        [tier for tier in reversed(WINDOWS) if not asked.agg or tier.fits(_width(asked))],
    )


def _buckets(asked: Question) -> int:
    """Return how many buckets share the range when each keeps two points, and has a microsecond."""
    return max(1, min(asked.points // 2, asked.end_us - asked.start_us))


def _width(asked: Question) -> int:
    return width_for(asked.start_us, asked.end_us, asked.points)


def _made(
    asked: Question, end_us: int, found: Found, final_us: int | None, seen: list[Lookup]
) -> Answer:
    points, method, bucket_us = (
        _aggregate(asked, end_us, found.rows, asked.agg)
        if asked.agg
        else _thinned(asked, end_us, found)
    )
    is_expired = any(span.tier.name == "expired" for span in found.spans)
    return Answer(
        asked,
        points,
        found.rows.kind,
        resolution(found.spans),
        method,
        found.rows.points_in,
        found.spans,
        end_us < asked.end_us or is_expired or found.rows.others > 0,
        final_us,
        bucket_us,
        tuple(seen),
    )


def _aggregate(asked: Question, end_us: int, rows: Rows, agg: Agg) -> Thinned:
    """Return the buckets up to where the range was read."""
    if rows.kind in ("text", "boolean") and (agg in NUMBERS_ONLY or asked.fill == "linear"):
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"{asked.metric} is {rows.kind}: agg can be count, first or last, and fill not linear",
        )
    width = _width(asked)
    starts = grid(asked.start_us, end_us, width)
    return filled(aggregated(rows, starts, agg), starts, asked.fill), agg, width


def _thinned(asked: Question, end_us: int, found: Found) -> Thinned:
    """Return all points where they are few, else those that matter in each bucket."""
    rows = found.rows
    if all(span.tier is RAW for span in found.spans) and len(rows.times) <= asked.points:
        shown = _as_they_are(asked, rows)
        if len(shown.times) <= asked.points:
            return shown, "raw", None
    if rows.kind in ("text", "boolean"):
        return _lasts(asked, end_us, found)
    made = _thinned_to(_buckets(asked), asked, end_us, rows)
    if len(made[0].times) <= asked.points:
        return made
    # Gaps without a bucket of their own add a point: to each bucket at most one begins in.
    return _thinned_to(max(1, asked.points // 3), asked, end_us, rows)


def _thinned_to(buckets: int, asked: Question, end_us: int, rows: Rows) -> Thinned:
    starts = edges(asked.start_us, asked.end_us, buckets)
    there = candidates(rows)
    kept = extremes(there, starts) if len(there.times) else NO_POINTS
    width = (asked.end_us - asked.start_us) // len(starts)
    return _with_gaps(asked, kept, rows, (starts[starts < end_us], end_us)), "minmax", width


def _lasts(asked: Question, end_us: int, found: Found) -> Thinned:
    """Return the last value of each bucket of a round width, whose end no window crosses."""
    least = width_for(asked.start_us, asked.end_us, _buckets(asked))
    tiers = {span.tier for span in found.spans if span.tier.width_us}
    fitting = (each for each in WIDTHS if all(tier.fits(each) for tier in tiers))
    width = next((each for each in fitting if each >= least), WHOLE_US)
    starts = grid(asked.start_us, end_us, width)
    kept = last_of_each(candidates(found.rows), starts)
    return _with_gaps(asked, kept, found.rows, (starts, end_us)), "last", width


def _with_gaps(asked: Question, kept: Points, rows: Rows, buckets: tuple[Micros, int]) -> Points:
    return with_gaps(kept, rows, *buckets) if asked.fill == "null" else kept


def _as_they_are(asked: Question, rows: Rows) -> Points:
    """Return readings; a sentinel is a gap, which is shown where gaps are asked for."""
    if asked.fill == "null":
        return with_breaks(Points(rows.times, rows.last))
    shown = np.flatnonzero(rows.count > 0)
    return Points(rows.times[shown], rows.last[shown])


def resolution(spans: tuple[Span, ...]) -> str:
    """Return the widest tier that was read; of what has expired nothing was."""
    read = [span.tier for span in spans if span.tier.name != "expired"]
    return max(read, key=lambda tier: tier.width_us, default=RAW).name
