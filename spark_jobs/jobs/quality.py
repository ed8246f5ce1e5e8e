"""Hold tables to their suites, over what changed since they last held; keep the results."""

import argparse
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from edge.registry_files import RegistryFiles
from expectations import suites
from expectations.holding import Holder
from expectations.rule import with_rules
from spark_jobs.file_rows import file_rows
from spark_jobs.jobs import quality_figures
from spark_jobs.jobs.changed_files import newest_files, of_days
from spark_jobs.jobs.job_runs import Result, add_dates, asked_days, recorded
from spark_jobs.jobs.quality_results import Held, Results, broken, held_versions, keep, summary
from spark_jobs.lake import Lake
from spark_jobs.new_files import files_since
from spark_jobs.session import session
from spark_jobs.table_files import listed
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from telemetry.tables import BY_NAME, TABLES, Table

MOST_ROWS = 1_000_000
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
    for table, held in results.items():
        handle = lake.table(table)
        held.version = handle.version()
        since = known.get(table.name)
        files = of_days(listed(handle), table, days) if days else files_since(handle, since)
        _hold_rows(table, held, newest_files(files, arguments.rows), Check(settings, lake, holder))
    for figures in quality_figures.all_figures(
        lake, list(results), quality_figures.closed(days, now), settings.progress_dir
    ):
        _hold_figures(results, figures, holder)
    keep(lake, results, now, "days" if days else "changed")
    pages = holder.write_pages()
    failures = list(broken(results))
    if failures and not arguments.exit_zero:
        told = "; ".join(failures)
        raise QualityError(f"{len(failures)} expectations do not hold, see {pages}: {told}")
    return summary(results, pages)


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
