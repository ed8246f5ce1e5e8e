"""What differs between two frames of a table's rows, key by key."""

from collections.abc import Collection, Iterator, Mapping
from datetime import date
from typing import Any

import polars as pl

from telemetry.tables import Table

NOT_CONTENT = frozenset({"processed_at", "replayed_at"})
"""When a row was made, not what it says."""
Difference = dict[str, object]
_RELATIVE = 1e-9
_STDDEV, _SUMMED = 1e-7, 1e-12
"""Of what is summed up: the same numbers added in another order agree this far."""
_COPY, _THERE, _DIFFERS, _AFTER = "copy of the key", "is there", "differs: ", " after"


def different(
    table: Table, before: pl.DataFrame, after: pl.DataFrame, *, leave_out: Collection[str] = ()
) -> pl.DataFrame:
    """Return both sides of each row that is not the same in both, by key.

    A row that one side lacks is null there. A key's second row stands for itself.
    """
    key, content = list(table.key), _content(table)
    both = _numbered(before, key, content).join(
        _numbered(after, key, content),
        on=[*key, _COPY],
        how="full",
        nulls_equal=True,
        coalesce=True,
        suffix=_AFTER,
    )
    compared = [name for name in content if name not in leave_out]
    judged = both.with_columns(
        (~_is_same(table, name) if name in compared else pl.lit(value=False)).alias(_DIFFERS + name)
        for name in content
    )
    is_alone = pl.col(_THERE).is_null() | pl.col(_THERE + _AFTER).is_null()
    differs = pl.any_horizontal(_DIFFERS + name for name in content)
    return judged.filter(is_alone | differs).sort(key)


def partitions(table: Table, found: pl.DataFrame) -> pl.DataFrame:
    """Return the partitions that differing rows are in, on either side."""
    names = list(table.partition_by)
    sides = [
        found.filter(pl.col(_THERE)).select(names),
        found.filter(pl.col(_THERE + _AFTER)).select(
            pl.col(name + _AFTER).alias(name) for name in names
        ),
    ]
    return pl.concat(sides).unique().sort(names)


def days(table: Table, found: pl.DataFrame) -> set[date]:
    """Return the dates by which gold is made again: of windows, or of the partitions."""
    if "window_start" in table.key:
        return set(found["window_start"].dt.date())
    dates = partitions(table, found)
    return {day for name in ("event_date", "hour_date") if name in dates for day in dates[name]}


def told(table: Table, found: pl.DataFrame) -> Iterator[Difference]:
    """Yield differing rows as table, key, columns, before and after."""
    content = _content(table)
    for row in found.iter_rows(named=True):
        yield _told(table, row, content)


def _content(table: Table) -> list[str]:
    return [name for name in table.column_names if name not in NOT_CONTENT.union(table.key)]


def _numbered(rows: pl.DataFrame, key: list[str], content: list[str]) -> pl.DataFrame:
    kept = rows.select(*key, *content, pl.lit(value=True).alias(_THERE))
    order = [name for name in ("topic", "partition", "offset", "item") if name in content]
    ordered = kept.sort(order) if order else kept
    return ordered.with_columns(pl.int_range(pl.len()).over(key).alias(_COPY))


def _is_same(table: Table, name: str) -> pl.Expr:
    left, right = pl.col(name), pl.col(name + _AFTER)
    types = {column.name: column.type for column in table.columns}
    if types[name] == "map<string,string>":
        # Labels have no order; older releases wrote them as they came.
        left, right = (side.map.entries().list.sort() for side in (left, right))
    if table.layer == "silver" or types[name] != "double":
        return left.eq_missing(right)
    near = (left - right).abs() <= _tolerance(name, types)
    return left.eq_missing(right) | near.fill_null(value=False)


def _tolerance(name: str, types: Mapping[str, object]) -> pl.Expr:
    tolerance = _RELATIVE * pl.max_horizontal(pl.col(name).abs(), pl.col(name + _AFTER).abs())
    if not {"min", "max", "count"} <= types.keys():
        return tolerance
    greatest = pl.max_horizontal(pl.col("min").abs(), pl.col("max").abs()).fill_null(0.0)
    if name == "stddev":
        return tolerance + _STDDEV * greatest
    size = greatest * greatest if name == "m2" else greatest
    return tolerance + _SUMMED * size * pl.col("count")


def _told(table: Table, row: Mapping[str, Any], content: list[str]) -> Difference:
    is_before, is_after = (row[_THERE + side] is not None for side in ("", _AFTER))
    is_changed = is_before and is_after
    names = [name for name in content if row[_DIFFERS + name]] if is_changed else content
    return {
        "table": table.name,
        "key": {name: _plain(row[name]) for name in table.key},
        "columns": names if is_changed else [],
        "before": {name: _plain(row[name]) for name in names} if is_before else None,
        "after": {name: _plain(row[name + _AFTER]) for name in names} if is_after else None,
    }


def _plain(value: object) -> object:
    """Return a value as JSON shows it; bytes as text where they are."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return value if isinstance(value, bool | int | float | str | list | dict | None) else str(value)
