"""Hold tables to their suites, over what changed since they last held; keep the results."""

import argparse
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime

from edge.registry_files import RegistryFiles
from expectations import suites
from expectations.holding import Holder
from expectations.rule import with_rules
from spark_jobs import changed
from spark_jobs.changed import Asked
from spark_jobs.jobs import quality_figures
from spark_jobs.jobs.quality_results import Held, Results, broken, held_since, keep, summary
from spark_jobs.lake import Lake
from spark_jobs.session import session
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from telemetry.tables import BY_NAME, TABLES, Table

MOST_ROWS = 1_000_000
log = logging.getLogger(__name__)


class QualityError(HeadwaterError):
    """A table is not what it promises to be."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare which tables and days are checked."""
    parser.add_argument("--tables", action="append", default=[], help="schema.table; default all")
    parser.add_argument("--from", dest="first_day", type=date.fromisoformat, help="first day")
    parser.add_argument("--to", dest="last_day", type=date.fromisoformat, help="last day")
    parser.add_argument("--rows", type=int, default=MOST_ROWS, help="most rows a table; 0: all")
    parser.add_argument("--exit-zero", action="store_true", help="tell of failures, do not fail")


def run(arguments: argparse.Namespace, settings: Settings, lake: Lake) -> dict[str, object]:
    """Check the tables, write `ops.quality` and the pages; fail if a critical one does not hold."""
    now = datetime.now(UTC)
    holder = Holder(settings.home / "dataquality")
    results = {table: Held() for table in _tables(arguments.tables)}
    by_days = arguments.first_day is not None or arguments.last_day is not None
    _hold_rows(results, _asked(arguments, results, lake), settings, lake, holder)
    closed = quality_figures.closed(arguments.first_day, arguments.last_day, now)
    for figures in quality_figures.all_figures(lake, list(results), closed, settings.progress_dir):
        _hold_figures(results, figures, holder)
    keep(lake, results, now, "days" if by_days else "changed")
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


def _asked(arguments: argparse.Namespace, results: Results, lake: Lake) -> dict[Table, Asked]:
    first, last = arguments.first_day, arguments.last_day
    since = {} if first or last else held_since(lake)
    most = arguments.rows or None
    return {table: Asked(since.get(table.name), first, last, most) for table in results}


def _hold_rows(
    results: Results,
    asked: dict[Table, Asked],
    settings: Settings,
    lake: Lake,
    holder: Holder,
) -> None:
    products = RegistryFiles(settings.registry_dir).products().values()
    for table, held in results.items():
        wanted = changed.changed(changed.files(lake, table), table, asked[table])
        if not wanted.paths:
            continue
        spark = session(settings, "headwater-quality")
        rules = suites.rules(table, products)
        with _timed(held):
            rows = with_rules(changed.frame(spark, lake, table, wanted), rules)
            held.rows = wanted.rows
            held.verdicts += holder.hold(table.name, rows, suites.suite(table, rules))
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
    verdicts = holder.hold(figures.name, figures.frame, [one for _, one in each])
    for (table, _), verdict in zip(each, verdicts, strict=True):
        results[table].verdicts.append(verdict)
