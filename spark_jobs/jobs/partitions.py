"""Partitions of a table by date: which are closed, and which their retention has passed."""

import json
from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, timedelta

import polars as pl

from spark_jobs.lake import Lake
from telemetry.durations import parse_duration
from telemetry.products import Product, retention_span
from telemetry.retention import HISTORY
from telemetry.tables import JOB_RUNS, LATE, READINGS, Table

DATE_COLUMNS = ("event_date", "received_date", "window_period", "hour_date", "day")
_MONTHS, _YEARS = ("_hour", ".sessions"), ("_day",)


def date_column(table: Table) -> str | None:
    """Return the date column that the table is partitioned by."""
    dates = [column.name for column in table.columns if column.type == "date"]
    return next((name for name in table.partition_by if name in dates), None)


def last_day(table: Table, period: date) -> date:
    """Return the last date that a partition holds: of the day, month or year that it begins."""
    if date_column(table) != "window_period" or table.name.startswith("gold.summary"):
        return _month_end(period) if table.name.endswith("_day") else period
    if table.name.endswith(_YEARS):
        return period.replace(month=12, day=31)
    return _month_end(period) if table.name.endswith(_MONTHS) else period


def _month_end(period: date) -> date:
    return (period.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def kept_for(table: Table, retention_class: str | None) -> timedelta | None:
    """Return how long a partition is kept; None for ever."""
    if table.retention == "class":
        return retention_span(retention_class or "forever")
    return None if table.retention == "forever" else parse_duration(table.retention)


def kept_since_arrival(
    tables: Iterable[Table], products: Collection[Product], classes: Iterable[str] = ()
) -> timedelta:
    """Return how long after its arrival no message is dropped by retention, in any table.

    Of `classes` that no product has any more nobody knows the maximum age: it is at most the
    greatest of now, and leaves a day.
    """
    ages = [product.max_age for product in products if product.max_age is not None]
    greatest = max(ages, default=Product("any").max_age or timedelta())
    by_table = [kept_for(table, None) for table in tables if table.retention != "class"]
    by_class = [
        span - (product.max_age or timedelta())
        for product in products
        if (span := retention_span(product.retention_class)) is not None
    ]
    former = {*classes} - {product.retention_class for product in products}
    of_former = [
        max(span - greatest, timedelta(days=1))
        for name in former - {HISTORY}
        if (span := retention_span(name)) is not None
    ]
    return min(span for span in (*by_table, *by_class, *of_former) if span is not None)


def classes_ever(lake: Lake) -> set[str]:
    """Return the classes of silver's rows, of those that runs of `retention` dropped as well."""
    found = {
        name
        for table in (READINGS, LATE)
        for name in lake.files(table)["partition.retention_class"].unique()
    }
    runs = lake.scan(JOB_RUNS).filter(pl.col("job") == "retention", "success")
    for said in runs.select("result").collect()["result"].drop_nulls():
        dropped = json.loads(said).get("tables", {})
        for table in (READINGS, LATE):
            partitions = dropped.get(table.name, {}).get("partitions", ())
            found |= {partition["retention_class"] for partition in partitions}
    return found


def is_expired(table: Table, retention_class: str | None, period: date, today: date) -> bool:
    """Tell whether all that a partition holds is older than it is kept."""
    span = kept_for(table, retention_class)
    return span is not None and last_day(table, period) < today - span


def held_since(retention_class: str | None, period: date, born: date) -> date:
    """Return the date that a partition's age counts from.

    History was old when it came: its years count from when it can have come, not from its events.
    """
    return max(period, born) if retention_class == HISTORY else period


def born_on(lake: Lake, table: Table) -> date:
    """Return the date on which a table was created."""
    return datetime.fromtimestamp(
        (lake.table(table).metadata().created_time or 0) / 1000, UTC
    ).date()


def condition(table: Table, partitions: pl.DataFrame) -> str:
    """Return the SQL that names partitions, given a column for each partition column."""
    dated = date_column(table)
    assert dated is not None
    classes = [name for name in table.partition_by if name != dated]
    groups = partitions.group_by(classes) if classes else [((), partitions)]
    return " or ".join(
        "("
        + " and ".join(
            [
                *(f"{name} = '{_quoted(value)}'" for name, value in zip(classes, key, strict=True)),
                f"{dated} in ({_dates(rows[dated])})",
            ]
        )
        + ")"
        for key, rows in groups
    )


def _quoted(value: object) -> str:
    return str(value).replace("'", "''")


def _dates(values: pl.Series) -> str:
    return ", ".join(f"date'{value}'" for value in values.unique().sort())
