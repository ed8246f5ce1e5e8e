"""Keeps gold.sessions: grows it by fresh readings, or makes the sessions of a span again."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import NamedTuple

import polars as pl

from spark_jobs.transforms import sessions, windows
from spark_jobs.transforms.held import Held
from spark_jobs.transforms.partials import STATISTICS
from spark_jobs.transforms.scopes import WINDOW, scope
from spark_jobs.transforms.spans import EARLIEST, Span
from telemetry.tables import SESSIONS

KEY = [*sessions.SESSION_SERIES, "window_start"]
_COLUMNS = [*KEY, *STATISTICS, "window_end"]
_AS_LONG = [*KEY, "window_end", "count"]
_ENDS = ["tenant", "product", *WINDOW, "window_end"]
_RANGE = timedelta(hours=1)
Readings = Callable[[Span], Iterable[pl.DataFrame]]
"""Returns the readings of a span in parts: one after another, and at least one."""


class Regrown(NamedTuple):
    """Rows made anew, the keys of those that they take the place of, and the files of these."""

    rows: pl.DataFrame
    replaced: pl.DataFrame
    files: pl.Expr


def grown(
    stored: pl.LazyFrame, fresh: pl.DataFrame, ending: pl.DataFrame, rules: pl.DataFrame
) -> Regrown | None:
    """Return the sessions that fresh ones made or changed, and those that have ended."""
    near = _near(stored, fresh, rules)
    extended = sessions.ended(sessions.extended(near, fresh))
    ended = _of_windows(stored, ending)
    return _instead(near, extended, also=ended, same=_AS_LONG)


def _near(stored: pl.LazyFrame, fresh: pl.DataFrame, rules: pl.DataFrame) -> pl.DataFrame:
    """Return the stored sessions of the same series that fresh ones might extend."""
    first, last = fresh["window_start"].min(), sessions.ended(fresh)["window_end"].max()
    if first is None or last is None:
        return sessions.with_gap(stored.clear().collect(), rules)
    overlapping = (pl.col("window_end") >= first) & (pl.col("window_start") <= last)
    candidates = stored.filter(overlapping).collect()
    same = candidates.join(fresh, on=sessions.SESSION_SERIES, how="semi")
    return sessions.with_gap(same, rules)


def _of_windows(stored: pl.LazyFrame, ending: pl.DataFrame) -> pl.DataFrame:
    if ending.is_empty():
        return stored.clear().collect()
    near = stored.filter(scope(ending.select(WINDOW), _RANGE).rows)
    return near.collect().join(ending, on=_ENDS, how="semi")


def _instead(
    old: pl.DataFrame, new: pl.DataFrame, also: pl.DataFrame, same: list[str]
) -> Regrown | None:
    """Put new sessions in place of old ones that they differ from; `also` come as they are."""
    changed = new.join(old, on=same, how="anti", nulls_equal=True).select(_COLUMNS)
    outgrown = old.join(new, on=same, how="anti", nulls_equal=True).select(_COLUMNS)
    others = also.join(outgrown, on=KEY, how="anti").select(_COLUMNS)
    rows = pl.concat([changed, others])
    replaced = pl.concat([outgrown, rows])
    if replaced.is_empty():
        return None
    placed = replaced.select(*KEY, windows.period(SESSIONS))
    return Regrown(rows, placed.select(KEY).unique(), scope(placed.select(WINDOW), _RANGE).files)


def made_again(
    stored: pl.LazyFrame, readings: Readings, span: Span, rules: pl.DataFrame, held: Held
) -> Regrown | None:
    """Return sessions that touch the span made again from readings, None if all are as they were.

    The readings may be of some series; `stored` then has to be of the same. Sessions that began
    before all readings are `held` stay, and what is left of them in readings is no session.
    """
    old = stored.filter(_touches(span), held.whole).collect()
    found = _whole_sessions(readings, span, rules).filter(held.whole)
    is_cut = bool(held.since) and not found.is_empty()
    begun = _begun_before(stored.filter(~held.whole), found) if is_cut else found.clear()
    new = found.join(begun, on=KEY, how="anti")
    return _instead(old, new, also=old.clear(), same=_COLUMNS)


def _begun_before(standing: pl.LazyFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Return the keys of those found that are the end of a session that stays."""
    series = list(sessions.SESSION_SERIES)
    ends = standing.select(*series, pl.col("window_end").alias("ended"))
    near = ends.filter(pl.col("ended") >= found["window_start"].min()).collect()
    both = found.join(near, on=series, how="inner")
    return both.filter(pl.col("window_start") <= pl.col("ended")).select(KEY).unique()


def _touches(span: Span) -> pl.Expr:
    return (pl.col("window_start") < span.end) & (pl.col("window_end") > span.start)


def _whole_sessions(readings: Readings, span: Span, rules: pl.DataFrame) -> pl.DataFrame:
    """Return the sessions that touch the span, looking further while one may go on outside."""
    gap = rules["gap"].max() or timedelta()
    assert isinstance(gap, timedelta)
    seen = span.wider(gap) if gap else Span(span.start, span.start)
    while True:
        parts = [sessions.of_rows(some, rules) for some in readings(seen)]
        found = sessions.ended(sessions.joined(pl.concat(parts)))
        mine = found.filter(_touches(span))
        has_no_before = pl.lit(value=seen.start == EARLIEST)
        begins_inside = has_no_before | (pl.col("window_start") >= seen.start + gap)
        ends_inside = pl.col("window_end") < seen.end
        if mine.select((begins_inside & ends_inside).all()).item():
            return mine
        seen = seen.wider(seen.end - seen.start)
