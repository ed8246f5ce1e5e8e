"""Summarise gold by zone and by product, an hour and a day: one SQL file a table."""

import argparse
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
from pyspark.sql import SparkSession

from edge.registry_files import RegistryFiles
from spark_jobs.asked import ask
from spark_jobs.jobs.changed_files import written_since
from spark_jobs.jobs.held_since import gold_since, held_since
from spark_jobs.jobs.job_runs import (
    Days,
    Result,
    add_dates,
    asked_days,
    last_success,
    recorded,
)
from spark_jobs.jobs.looked_at import Note
from spark_jobs.jobs.restating import runs_of_days
from spark_jobs.lake import Lake
from spark_jobs.session import session
from spark_jobs.transforms.held import Since, conditions_since, since
from spark_jobs.transforms.spans import days as span_of
from telemetry.settings import Settings
from telemetry.tables import DEVICE_WINDOWS, DEVICES, SUMMARIES, ZONE_WINDOWS, Table

SQL = Path(__file__).parents[1] / "sql"
EVERY = ("hour", "day")
FILES = "files"
"""In the note: those that the last run of all that was due had before it."""
READ = (DEVICES, *(windows[width] for windows in (DEVICE_WINDOWS, ZONE_WINDOWS) for width in EVERY))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the dates; the default is two days, and what changed since the last run."""
    add_dates(parser)
    parser.add_argument("--every", choices=EVERY, help="only hours, or only days")


def run(arguments: argparse.Namespace, settings: Settings, lake: Lake) -> Result:
    """Replace the summaries of the dates."""

    def work(now: datetime) -> Result:
        asked = asked_days(arguments)
        note = Note(settings.checkpoint_dir / "summaries.looked")
        files = lake.files(DEVICE_WINDOWS["hour"])
        ranges = [asked] if asked else _due(lake, note, files, now)
        spark = session(settings, "headwater-summaries")
        chosen = [table for table in SUMMARIES if table.name.endswith(arguments.every or "")]
        products = RegistryFiles(settings.registry_dir).products().values()
        held = held_since(lake, products, now.date())
        tables = {
            table.name: {"rows": _summarise(spark, lake, table, ranges, made_since)}
            for table in chosen
            for made_since in [gold_since(held, products, table.name.rpartition("_")[2])]
        }
        if asked is None and arguments.every is None:
            note.keep({}, {FILES: files["path"].to_list()})
        return {"days": [[days.first, days.last] for days in ranges], "tables": tables}

    return recorded(lake, "summaries", arguments, work)


def _summarise(
    spark: SparkSession, lake: Lake, table: Table, ranges: Sequence[Days], made_since: Since
) -> int:
    """Replace the rows of the dates, but for products whose windows retention has dropped."""
    query = (SQL / f"{table.name.split('.')[1]}.sql").read_text()
    written = 0
    for days in ranges:
        span = span_of(days.first, days.last)
        bounds = {":start": span.start, ":end": span.end}
        made = pl.DataFrame(ask(spark, lake, _bound(query, bounds), READ).toArrow())
        rows = made.filter(since(made_since, "window_start"))
        named = [_named(days, span.start, span.end), *conditions_since(made_since, "window_start")]
        lake.replace(table, rows, " and ".join(named), None)
        written += rows.height
    return written


def _bound(query: str, times: Mapping[str, datetime]) -> str:
    """Put times in the places of a query's parameters; Spark loses those within its own CTEs."""
    for name, time in times.items():
        query = query.replace(name, f"timestamp'{time.isoformat()}'")
    return query


def _named(days: Days, start: datetime, end: datetime) -> str:
    first = days.first.replace(day=1)
    return (
        f"window_period >= date'{first}' and window_period <= date'{days.last}'"
        f" and window_start >= '{start.isoformat()}' and window_start < '{end.isoformat()}'"
    )


def _due(lake: Lake, note: Note, files: pl.DataFrame, now: datetime) -> list[Days]:
    """Return yesterday, today, and the days whose hours were written since the last run."""
    today = now.date()
    due = {today - timedelta(days=1), today}
    # Of a run by an earlier release there is no note: the age of files has to do.
    seen = note.words.get(FILES)
    is_new = written_since(last_success(lake, "summaries"))
    new = files.filter(is_new if seen is None else ~pl.col("path").is_in(seen))
    for first, last in new.select("min.window_start", "max.window_start").iter_rows():
        due |= _between(first.date(), last.date())
    return runs_of_days(due)


def _between(first: date, last: date) -> set[date]:
    return {first + timedelta(days=n) for n in range((last - first).days + 1)}
