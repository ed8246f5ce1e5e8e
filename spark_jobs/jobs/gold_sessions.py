"""Keeps gold.sessions: grows it by fresh readings, or makes the sessions of a span again."""

from collections.abc import Callable
from datetime import timedelta

import polars as pl

from spark_jobs.transforms import sessions, windows
from spark_jobs.transforms.partials import STATISTICS
from spark_jobs.transforms.scopes import WINDOW, Scope, scope
from spark_jobs.transforms.spans import Span
from telemetry.tables import SESSIONS

_COLUMNS = [*sessions.SESSION_SERIES, "window_start", *STATISTICS, "window_end"]
_RANGE = timedelta(hours=1)
Readings = Callable[[Span], pl.DataFrame]


def grown(
    stored: pl.LazyFrame, fresh: pl.DataFrame, ending: pl.DataFrame, rules: pl.DataFrame
) -> tuple[pl.DataFrame, Scope]:
    """Return the rows that hold the fresh sessions merged in, and the scope that they fill."""
    near = _near(stored, fresh, rules)
    extended = sessions.ended(sessions.extended(near, fresh))
    return _instead(stored, near, extended, ending)


def _near(stored: pl.LazyFrame, fresh: pl.DataFrame, rules: pl.DataFrame) -> pl.DataFrame:
    """Return the stored sessions of the same series that fresh ones might extend."""
    first, last = fresh["window_start"].min(), sessions.ended(fresh)["window_end"].max()
    if first is None or last is None:
        return sessions.with_gap(stored.clear().collect(), rules)
    overlapping = (pl.col("window_end") >= first) & (pl.col("window_start") <= last)
    candidates = stored.filter(overlapping).collect()
    same = candidates.join(fresh, on=sessions.SESSION_SERIES, how="semi")
    return sessions.with_gap(same, rules)


def _instead(
    stored: pl.LazyFrame, old: pl.DataFrame, new: pl.DataFrame, also: pl.DataFrame
) -> tuple[pl.DataFrame, Scope]:
    """Put new sessions in place of old ones among all those that share their scope."""
    placed = new.with_columns(windows.period(SESSIONS))
    whole = scope(pl.concat([old.select(WINDOW), placed.select(WINDOW), also]), _RANGE)
    others = stored.filter(whole.rows).collect().join(old, on=list(SESSIONS.key), how="anti")
    return pl.concat([others.select(_COLUMNS), placed.select(_COLUMNS)]), whole


def made_again(
    stored: pl.LazyFrame, readings: Readings, span: Span, rules: pl.DataFrame
) -> tuple[pl.DataFrame, Scope] | None:
    """Return sessions that touch the span made again from readings, None if there are none."""
    old = stored.filter(_touches(span)).collect()
    new = _whole_sessions(readings, span, rules)
    if old.is_empty() and new.is_empty():
        return None
    return _instead(stored, old, new, old.clear().select(WINDOW))


def _touches(span: Span) -> pl.Expr:
    return (pl.col("window_start") < span.end) & (pl.col("window_end") > span.start)


def _whole_sessions(readings: Readings, span: Span, rules: pl.DataFrame) -> pl.DataFrame:
    """Return the sessions that touch the span, looking further while one may go on outside."""
    gap = rules["gap"].max() or timedelta()
    assert isinstance(gap, timedelta)
    seen = span.wider(gap) if gap else Span(span.start, span.start)
    while True:
        found = sessions.ended(sessions.of_rows(readings(seen), rules))
        mine = found.filter(_touches(span))
        begins_inside = pl.col("window_start") >= seen.start + gap
        ends_inside = pl.col("window_end") < seen.end
        if mine.select((begins_inside & ends_inside).all()).item():
            return mine
        seen = seen.wider(seen.end - seen.start)
