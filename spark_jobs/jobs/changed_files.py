"""Which files of a table are asked for: those of some days, the newest, or those written since."""

from datetime import date, datetime, timedelta

import polars as pl

from spark_jobs.jobs.job_runs import Days
from spark_jobs.jobs.partitions import date_column, last_day
from telemetry.tables import Table

OVERLAP = timedelta(minutes=10)
"""A file may have been written before a job looked at its table and committed after that."""


def newest_files(files: pl.DataFrame, most_rows: int) -> pl.DataFrame:
    """Return the newest files, up to so many rows; 0: all."""
    newest = files.sort("modification_time", "path", descending=True)
    rows = newest["num_records"].fill_null(0)
    return newest.filter(rows.cum_sum() - rows < most_rows) if most_rows else newest


def written_at() -> pl.Expr:
    """Return the expression of when a file was written."""
    return pl.col("modification_time").cast(pl.Datetime("ms")).dt.replace_time_zone("UTC")


def written_since(since: datetime | None) -> pl.Expr:
    """Return the expression of which files a run that started then may not have seen; None: all."""
    return pl.lit(value=True) if since is None else written_at() > since - OVERLAP


def days_within(new: pl.DataFrame, files: pl.DataFrame, dated: str, most_rows: int) -> set[date]:
    """Return the newest dates that some files are of, up to so many rows of all files; 0: all."""
    rows = dict(files.group_by(dated).agg(pl.col("num_records").sum()).iter_rows())
    found: set[date] = set()
    counted = 0
    for day in sorted(new[dated].unique(), reverse=True):
        counted += rows.get(day) or 0
        if most_rows and counted > most_rows:
            break
        found.add(day)
    return found


def of_days(files: pl.DataFrame, table: Table, days: Days) -> pl.DataFrame:
    """Return the files whose partitions are of some days."""
    dated = date_column(table)
    if dated is None:
        return files
    is_within = [
        period <= days.last and last_day(table, period) >= days.first
        for period in files[f"partition.{dated}"]
    ]
    return files.filter(pl.Series(is_within, dtype=pl.Boolean))
