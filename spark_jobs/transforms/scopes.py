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
    """Stored rows to read and to replace, and the files that may hold them."""

    rows: pl.Expr
    files: pl.Expr


def scope(touched: pl.DataFrame, apart: timedelta) -> Scope:
    """Return the scope of touched windows; those no further `apart` share a range.

    Few windows are named by ranges, so that closed files stay; many by whole partitions.
    """
    for breaks in (pl.col("window_start").diff() > apart, pl.lit(value=False)):
        ranges = _ranges(touched, breaks)
        if len(ranges) <= MOST_RANGES:
            return Scope(_any(map(_row, ranges)), _any(map(_file, ranges)))
    return _of_partitions(ranges)


def _ranges(touched: pl.DataFrame, breaks: pl.Expr) -> list[Range]:
    windows = touched.select(WINDOW).unique().sort(WINDOW)
    run = breaks.fill_null(value=False).cum_sum().over(_PARTITION).alias("run")
    runs = windows.with_columns(run).group_by(*_PARTITION, "run", maintain_order=True)
    start = pl.col("window_start")
    found = runs.agg(start.min().alias("first"), start.max().alias("last")).drop("run")
    return [Range(*row) for row in found.iter_rows()]


def _any(conditions: Iterable[pl.Expr]) -> pl.Expr:
    return reduce(or_, conditions)


def _row(item: Range) -> pl.Expr:
    return (
        (pl.col("retention_class") == item.retention_class)
        & (pl.col("window_period") == item.window_period)
        & (pl.col("window_start") >= item.first)
        & (pl.col("window_start") <= item.last)
    )


def _file(item: Range) -> pl.Expr:
    return (
        (pl.col("partition.retention_class") == item.retention_class)
        & (pl.col("partition.window_period") == item.window_period)
        & (pl.col("max.window_start") >= item.first).fill_null(value=True)
        & (pl.col("min.window_start") <= item.last).fill_null(value=True)
    )


def _of_partitions(ranges: list[Range]) -> Scope:
    periods: dict[str, set[date]] = {}
    for item in ranges:
        periods.setdefault(item.retention_class, set()).add(item.window_period)
    return Scope(
        *(
            _any(
                (pl.col(f"{prefix}retention_class") == name)
                & pl.col(f"{prefix}window_period").is_in(sorted(dates))
                for name, dates in periods.items()
            )
            for prefix in ("", "partition.")
        )
    )
