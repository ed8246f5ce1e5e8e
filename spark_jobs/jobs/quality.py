"""Hold tables to their suites, over what changed since they last held; keep the results."""

import argparse
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from edge.registry_files import RegistryFiles
from expectations import suites
from expectations.holding import Holder
from expectations.rule import with_rules
from spark_jobs.file_rows import file_rows
from spark_jobs.jobs import quality_figures
from spark_jobs.jobs.changed_files import days_within, newest_files, of_days
from spark_jobs.jobs.held_since import held_since
from spark_jobs.jobs.job_runs import (
    Days,
    Result,
    add_dates,
    asked_days,
    recorded,
    yesterday,
)
from spark_jobs.jobs.looked_at import Note
from spark_jobs.jobs.quality_results import Held, Results, broken, held_versions, keep, summary
from spark_jobs.lake import Lake
from spark_jobs.new_files import files_since
from spark_jobs.session import session
from spark_jobs.table_files import listed
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from telemetry.tables import BY_NAME, LATE, READINGS, TABLES, Table

MOST_ROWS = 1_000_000
SILVER = (READINGS, LATE)
EVENT_DATE = "partition.event_date"
DUE = "due"
"""In the note: days on which gold is still to be held against silver, or did not agree."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Check:
    """What every table's check needs."""

    settings: Settings
    lake: Lake
    holder: Holder


class QualityError(HeadwaterError):
    """A table is not what it promises to be."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare which tables and days are checked."""
    parser.add_argument(
        "--tables",
        nargs="+",
        action="extend",
        default=[],
        metavar="SCHEMA.TABLE",
        help="only these",
    )
    add_dates(parser)
    parser.add_argument("--rows", type=int, default=MOST_ROWS, help="most rows a table; 0: all")
    parser.add_argument("--exit-zero", action="store_true", help="tell of failures, do not fail")


def run(arguments: argparse.Namespace, settings: Settings, lake: Lake) -> Result:
    """Check the tables, write `ops.quality` and the pages; fail if a critical one does not hold."""
    return recorded(lake, "quality", arguments, lambda now: _check(arguments, settings, lake, now))


def _check(arguments: argparse.Namespace, settings: Settings, lake: Lake, now: datetime) -> Result:
    days = asked_days(arguments)
    holder = Holder(settings.home / "dataquality")
    results = {table: Held() for table in _tables(arguments.tables)}
    known = {} if days else held_versions(lake)
    changed: set[date] = set()
    for table, held in results.items():
        handle = lake.table(table)
        held.version = handle.version()
        since = known.get(table.name)
        there = listed(handle)
        files = of_days(there, table, days) if days else files_since(handle, since)
        if table in SILVER:
            older = files.filter(~pl.col(EVENT_DATE).is_in(_always(now)))
            changed |= days_within(older, there, EVENT_DATE, arguments.rows)
        _hold_rows(table, held, newest_files(files, arguments.rows), Check(settings, lake, holder))
    _compare(results, now, days, changed, Check(settings, lake, holder))
    keep(lake, results, now, "days" if days else "changed")
    pages = holder.write_pages()
    failures = list(broken(results))
    if failures and not arguments.exit_zero:
        told = "; ".join(failures)
        raise QualityError(f"{len(failures)} expectations do not hold, see {pages}: {told}")
    return summary(results, pages)


def _compare(
    results: Results, now: datetime, days: Days | None, changed: set[date], check: Check
) -> None:
    """Hold gold's counts against silver's.

    That is on the days asked for; or else yesterday and today, and what is due besides: days that
    have changed since gold was held against them, and those on which it did not agree.
    """
    note = Note(check.settings.checkpoint_dir / "quality.looked")
    due = changed | set(map(date.fromisoformat, note.words.get(DUE, ())))
    products = RegistryFiles(check.settings.registry_dir).products().values()
    compared = quality_figures.Compared(
        now,
        sorted(days.each() if days else due | _always(now)),
        held_since(check.lake, products, now.date()),
    )
    apart: set[date] = set()
    for figures in quality_figures.all_figures(
        check.lake, list(results), compared, check.settings.progress_dir
    ):
        apart |= quality_figures.days_apart(figures)
        _hold_figures(results, figures, check.holder)
    if days is None:
        left = set() if results.keys() >= set(quality_figures.COMPARED) else due
        note.keep({}, {DUE: sorted(map(str, apart | left))})


def _always(now: datetime) -> set[date]:
    return {yesterday(now), now.date()}


def _tables(names: Sequence[str]) -> list[Table]:
    unknown = sorted(set(names) - set(BY_NAME))
    if unknown:
        raise HeadwaterError(f"no table {', '.join(unknown)}: choose of {', '.join(BY_NAME)}")
    return [BY_NAME[name] for name in names] if names else list(TABLES)


def _hold_rows(table: Table, held: Held, files: pl.DataFrame, check: Check) -> None:
    if files.is_empty():
        return
    spark = session(check.settings, "headwater-quality")
    products = RegistryFiles(check.settings.registry_dir).products().values()
    rules = suites.rules(table, products)
    with _timed(held):
        rows = with_rules(file_rows(spark, check.lake, table, files), rules)
        held.rows = int(files["num_records"].sum())
        expected = suites.suite(table, rules)
        held.verdicts += check.holder.hold_rows(table.name, rows, expected, table.key)
    log.info("held table=%s rows=%d seconds=%.1f", table.name, held.rows, held.seconds)


@contextmanager
def _timed(held: Held) -> Iterator[None]:
    began = time.monotonic()
    yield
    held.seconds += time.monotonic() - began


def _hold_figures(results: Results, figures: quality_figures.Figures, holder: Holder) -> None:
    each = [(BY_NAME[name], one) for name, some in figures.expected.items() for one in some]
    if not each:
        return
    verdicts = holder.hold_figures(figures.name, figures.frame, [one for _, one in each])
    for (table, _), verdict in zip(each, verdicts, strict=True):
        results[table].verdicts.append(verdict)
