"""Which stored windows a batch touches: one filter to read them, one predicate to replace them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import reduce
from operator import or_

import polars as pl

WINDOW = ["retention_class", "window_period", "window_start"]
_PARTITION = WINDOW[:2]
MOST_RANGES = 48


@dataclass(frozen=True, slots=True)
class Range:
    """Windows of one partition that start from `first` to `last`, both inclusive."""

    retention_class: str
    window_period: date
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Scope:
    """Stored rows to read and to replace: the filter and the predicate name the same ones."""

    rows: pl.Expr
    predicate: str


def scope(touched: pl.DataFrame, apart: timedelta) -> Scope:
    """Return the scope of touched windows; those no further `apart` share a range.

    Few windows are named by ranges, so that closed files stay; many by whole partitions.
    """
    for breaks in (pl.col("window_start").diff() > apart, pl.lit(value=False)):
        ranges = _ranges(touched, breaks)
        if len(ranges) <= MOST_RANGES:
            return _of_ranges(ranges)
    return _of_partitions(ranges)


def _ranges(touched: pl.DataFrame, breaks: pl.Expr) -> list[Range]:
    windows = touched.select(WINDOW).unique().sort(WINDOW)
    run = breaks.fill_null(value=False).cum_sum().over(_PARTITION).alias("run")
    runs = windows.with_columns(run).group_by(*_PARTITION, "run", maintain_order=True)
    start = pl.col("window_start")
    found = runs.agg(start.min().alias("first"), start.max().alias("last")).drop("run")
    return [Range(*row) for row in found.iter_rows()]


def _of_ranges(ranges: list[Range]) -> Scope:
    return Scope(
        reduce(or_, (_filter(item) for item in ranges)),
        " or ".join(_predicate(item) for item in ranges),
    )


def _filter(item: Range) -> pl.Expr:
    return (
        (pl.col("retention_class") == item.retention_class)
        & (pl.col("window_period") == item.window_period)
        & (pl.col("window_start") >= item.first)
        & (pl.col("window_start") <= item.last)
    )


def _predicate(item: Range) -> str:
    first, last = item.first.isoformat(), item.last.isoformat()
    return (
        f"({_is_partition(item.retention_class, [item.window_period])}"
        f" and window_start >= '{first}' and window_start <= '{last}')"
    )


def _of_partitions(ranges: list[Range]) -> Scope:
    periods: dict[str, list[date]] = {}
    for item in ranges:
        periods.setdefault(item.retention_class, []).append(item.window_period)
    return whole_partitions(periods.items())


def whole_partitions(periods: Iterable[tuple[str, list[date]]]) -> Scope:
    """Return the scope of whole partitions, given the periods of each retention class."""
    listed = list(periods)
    return Scope(
        reduce(
            or_,
            (
                (pl.col("retention_class") == name) & pl.col("window_period").is_in(dates)
                for name, dates in listed
            ),
        ),
        " or ".join(f"({_is_partition(name, dates)})" for name, dates in listed),
    )


def _is_partition(retention_class: str, dates: list[date]) -> str:
    quoted = retention_class.replace("'", "''")
    listed = ", ".join(f"date'{item}'" for item in dates)
    return f"retention_class = '{quoted}' and window_period in ({listed})"
