"""Rows of all tumbling and sliding windows as one frame, so that a batch of gold is one merge.

`table` tells the rows of one table from those of another; `subject` is its device or its zone.
"""

from collections.abc import Mapping
from datetime import timedelta

import polars as pl

from spark_jobs.transforms import windows
from spark_jobs.transforms.classes import CLASS, PRODUCT, of_longest
from spark_jobs.transforms.finality import OPEN
from spark_jobs.transforms.partials import SERIES, STATISTICS, merged
from spark_jobs.transforms.scopes import WINDOW
from telemetry.tables import (
    BY_NAME,
    DEVICE_SLIDING,
    DEVICE_WINDOWS,
    WINDOW_MINUTES,
    ZONE_WINDOWS,
    Table,
)

TABLES = (*DEVICE_WINDOWS.values(), *ZONE_WINDOWS.values(), DEVICE_SLIDING)
NAME = pl.Enum([table.name for table in TABLES])
KEY = ["table", *SERIES, "subject", "window_start"]
WHICH = [name for name in KEY if name != CLASS]
"""What tells a window from others: it is of one class."""
_COLUMNS = [
    "table",
    *("subject" if name == "device_full" else name for name in DEVICE_SLIDING.column_names),
]
ROW = [*KEY, *STATISTICS, "window_end", "window_period"]
AT = ["table", *WINDOW]
OPEN_ROW = ["table", *OPEN]
_RANGE_WINDOWS = 5
_ENDS = ["table", "tenant", "product", "retention_class", "window_start", "window_end"]
_GAINS, _ENDED = "gains", "ended"
_KEPT = pl.col("window_end").max(), pl.col("window_period").max()


def named(rows: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Return the rows of one table as rows of all."""
    renamed = rows.clone()
    renamed.columns = ["subject" if name == table.key[2] else name for name in rows.columns]
    return renamed.with_columns(pl.lit(table.name, NAME).alias("table"))


def by_table(rows: pl.DataFrame, *also: str) -> dict[tuple[object, ...], pl.DataFrame]:
    """Return the rows of each table as it declares them, by its name and the columns `also`."""
    parts = rows.select(_COLUMNS).partition_by("table", *also, as_dict=True)
    return {key: _of_table(part.drop("table"), str(key[0])) for key, part in parts.items()}


def _of_table(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    rows.columns = list(BY_NAME[name].column_names)
    return rows


def gained(minute_partials: pl.DataFrame, rules: pl.DataFrame) -> pl.DataFrame:
    """Return the partials that minutes bring to each window of each table, one row a key."""
    found = windows.cascade(minute_partials)
    found[DEVICE_SLIDING.name] = windows.sliding(minute_partials, rules)
    ended = {
        table: windows.ended(found[table.name], table).with_columns(windows.period(table))
        for table in TABLES
    }
    return pl.concat(named(rows, table).select(ROW) for table, rows in ended.items())


def in_one_class(gained_rows: pl.DataFrame, of: pl.DataFrame) -> pl.DataFrame:
    """Return a row a window, of products with several classes (`of`) as well."""
    if of.is_empty():
        return gained_rows
    return merged(of_longest(gained_rows, WHICH, of), KEY, *_KEPT)


def in_all_classes(gained_rows: pl.DataFrame, of: pl.DataFrame) -> pl.DataFrame:
    """Return where windows of products with several classes (`of`) may be stored, as `AT`."""
    placed = gained_rows.select("table", *PRODUCT, *AT[2:])
    return placed.join(of, on=PRODUCT, how="inner").select(AT)


def near(files: pl.DataFrame, touched_windows: pl.DataFrame) -> pl.DataFrame:
    """Return `table` and `path` of files that may hold touched windows (`AT`).

    `files` says of each its `table`, `path`, partition, least and greatest `window_start`. Windows
    few widths apart share a range, so files between one late window and now are left alone.
    """
    start, partition = pl.col("window_start"), AT[:3]
    in_order = touched_windows.unique().sort(AT)
    apart = pl.col("table").replace_strict(_APART, return_dtype=pl.Duration("us"))
    breaks = (start.diff() > apart).fill_null(value=True)
    runs = in_order.with_columns(run=breaks.cum_sum()).group_by(*partition, "run")
    ranges = runs.agg(first=start.min(), last=start.max())
    pairs = files.join(ranges, on=partition, how="inner")
    begins_before = (pl.col("min.window_start") <= pl.col("last")).fill_null(value=True)
    ends_after = (pl.col("max.window_start") >= pl.col("first")).fill_null(value=True)
    return pairs.filter(begins_before, ends_after).select("table", "path").unique()


def _apart(table: Table) -> timedelta:
    width = table.name.partition("_")[2]
    return timedelta(minutes=WINDOW_MINUTES.get(width, 1)) * _RANGE_WINDOWS


_APART: Mapping[str, timedelta] = {table.name: _apart(table) for table in TABLES}


def touched(
    stored: pl.DataFrame, gained_rows: pl.DataFrame, ending: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the stored rows that gain something or whose window ends, and the other rows."""
    gains = gained_rows.select(*WHICH, pl.lit(value=True).alias(_GAINS))
    ends = ending.select(_ENDS).unique().with_columns(pl.lit(value=True).alias(_ENDED))
    marked = stored.join(gains, on=WHICH, how="left").join(ends, on=_ENDS, how="left")
    is_hit = pl.col(_GAINS).is_not_null() | pl.col(_ENDED).is_not_null()
    hit, others = marked.filter(is_hit), marked.filter(~is_hit)
    return hit.drop(_GAINS, _ENDED), others.drop(_GAINS, _ENDED)


def together(
    hit: pl.DataFrame, gained_rows: pl.DataFrame, marks: pl.DataFrame, of: pl.DataFrame
) -> pl.DataFrame:
    """Merge what is stored with what was gained; `marks` (watermarks) decide what is final.

    `of` are products with several classes.
    """
    both = of_longest(pl.concat([hit.select(ROW), gained_rows.select(ROW)]), WHICH, of)
    return windows.judged(merged(both, KEY, *_KEPT), marks)
