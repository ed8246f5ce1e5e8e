"""Which files of a table are asked for: those of some days, or those that are new."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from spark_jobs.jobs.job_runs import Days
from spark_jobs.jobs.partitions import date_column, last_day
from telemetry.tables import Table

OVERLAP = timedelta(minutes=10)
"""A file may have been written before a job looked at its table and committed after that."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Files of some days, or those since a moment (None: all); the newest, up to so many rows."""

    days: Days | None = None
    since: datetime | None = None
    most_rows: int | None = None


def asked_files(files: pl.DataFrame, table: Table, asked: Asked) -> pl.DataFrame:
    """Return those of a table's files that are asked for."""
    wanted = _of_days(files, table, asked.days) if asked.days else _since(files, asked.since)
    newest = wanted.sort("modification_time", "path", descending=True)
    rows = newest["num_records"].fill_null(0)
    if asked.most_rows is None:
        return newest
    return newest.filter(rows.cum_sum() - rows < asked.most_rows)


def _since(files: pl.DataFrame, since: datetime | None) -> pl.DataFrame:
    if since is None:
        return files
    return files.filter(written_at() >= since)


def written_at() -> pl.Expr:
    """Return the expression of when a file was written."""
    return pl.col("modification_time").cast(pl.Datetime("ms")).dt.replace_time_zone("UTC")


def written_since(since: datetime | None) -> pl.Expr:
    """Return the expression of which files a run that started then may not have seen; None: all."""
    return pl.lit(value=True) if since is None else written_at() > since - OVERLAP


def _of_days(files: pl.DataFrame, table: Table, days: Days) -> pl.DataFrame:
    dated = date_column(table)
    if dated is None:
        return files
    is_within = [
        period <= days.last and last_day(table, period) >= days.first
        for period in files[f"partition.{dated}"]
    ]
    return files.filter(pl.Series(is_within, dtype=pl.Boolean))
