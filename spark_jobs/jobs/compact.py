"""Rewrite partitions of many small files into few: closed ones sorted, the newest one only packed.

Small files are packed here, many partitions a commit. What is too much for memory is sorted by
Spark, a partition at a time. Gold packs its open partitions itself, between two batches, so here
only its closed ones are.
"""

import argparse
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime

import polars as pl

from spark_jobs import packing, sorted_readings, sorting
from spark_jobs.jobs.changed_files import of_days
from spark_jobs.jobs.gold_tables import WINDOW_TABLES
from spark_jobs.jobs.job_runs import (
    Days,
    LostError,
    Result,
    add_dates,
    asked_days,
    recorded,
    tried,
)
from spark_jobs.jobs.partitions import condition, date_column, last_day
from spark_jobs.lake import Lake
from spark_jobs.pins import Pins
from spark_jobs.session import session
from telemetry.errors import WrongUseError
from telemetry.settings import Settings
from telemetry.tables import BY_NAME, READINGS, TABLES, Table

UNSORTED_BYTES = 64 * 1024 * 1024
"""A file of more is one that Spark has sorted, and stays."""
CLOSED_FILES, OPEN_FILES = 2, 8
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """What of a table is worth a rewrite: small files to pack, partitions that Spark sorts."""

    table: Table
    small: pl.DataFrame
    unsorted: pl.DataFrame

    @property
    def crowd(self) -> int:
        """Return the number of files that it would take away."""
        return len(self.small) + int(self.unsorted["files"].sum())


@dataclass(slots=True)
class Budget:
    """The time that a run has; what it does not come to is counted, for the next run."""

    seconds: float
    clock: Callable[[], float] = time.monotonic
    began: float = field(init=False)

    def __post_init__(self) -> None:
        """Begin."""
        self.began = self.clock()

    @property
    def is_over(self) -> bool:
        """Tell whether no further piece of work may begin."""
        return self.clock() - self.began >= self.seconds


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare which tables and dates, and how long; the default is all of them."""
    parser.add_argument("--tables", nargs="*", metavar="SCHEMA.TABLE", help="only these tables")
    add_dates(parser)
    parser.add_argument(
        "--within",
        type=float,
        metavar="SECONDS",
        help="begin nothing more after so long; default HEADWATER_COMPACT_BUDGET_S",
    )


def run(arguments: argparse.Namespace, settings: Settings, lake: Lake) -> Result:
    """Compact whatever has enough small files, the most crowded tables first."""

    days = asked_days(arguments)
    if unknown := sorted({*(arguments.tables or ())} - BY_NAME.keys()):
        raise WrongUseError(f"no table {', '.join(unknown)}: choose of {', '.join(BY_NAME)}")

    def work(now: datetime) -> Result:
        chosen = [table for table in TABLES if table.name in (arguments.tables or [table.name])]
        within = arguments.within
        budget = Budget(settings.compact_budget_s if within is None else within)
        plans = sorted(
            (plan for table in chosen if (plan := planned(lake, table, now.date(), days)).crowd),
            key=lambda plan: plan.crowd,
            reverse=True,
        )
        found = {plan.table.name: compacted(settings, lake, plan, budget) for plan in plans}
        left = sum(int(str(figures.get("left", 0))) for figures in found.values())
        return {"left": left, "tables": {name: found[name] for name in sorted(found)}}

    return recorded(lake, "compact", arguments, work)


def planned(lake: Lake, table: Table, today: date, days: Days | None = None) -> Plan:
    """Return what of a table is worth a rewrite; of some days, partitions that hold any of them."""
    files = lake.files(table)
    if days is not None:
        files = files.head(0) if date_column(table) is None else of_days(files, table, days)
    names = [f"partition.{name}" for name in table.partition_by]
    crowd = files.filter(pl.col("size") < UNSORTED_BYTES).with_columns(
        _is_closed(files, table, today).alias("closed"), _of(names, pl.len()).alias("crowd")
    )
    is_large = _of(names, pl.col("num_records").sum()) > packing.MOST_ROWS
    is_large |= _of(names, pl.col("size").sum()) > packing.MOST_BYTES
    sorts = pl.col("closed") & is_large & (pl.col("crowd") >= CLOSED_FILES)
    crowd = crowd.with_columns((sorts & bool(table.cluster_by)).alias("sorts"))
    small = crowd.filter(~pl.col("sorts"), packing.is_small() | (pl.col("closed") & ~is_large))
    least = pl.when("closed").then(CLOSED_FILES).otherwise(OPEN_FILES)
    is_gold = pl.lit(table in WINDOW_TABLES)
    wanted = (_of(names, pl.len()) >= least) & (pl.col("closed") | ~is_gold)
    unsorted = crowd.filter("sorts").group_by(names or pl.lit(1)).len("files")
    return Plan(table, small.filter(wanted), unsorted)


def _of(partition: list[str], figure: pl.Expr) -> pl.Expr:
    return figure.over(partition) if partition else figure


def _is_closed(files: pl.DataFrame, table: Table, today: date) -> pl.Expr:
    """Return the expression of files in partitions that nothing in time is added to any more."""
    dated = date_column(table)
    if dated is None:
        return pl.lit(value=False)
    periods = files[f"partition.{dated}"].unique()
    closed = [period for period in periods if last_day(table, period) < today]
    return pl.col(f"partition.{dated}").is_in(closed)


def compacted(settings: Settings, lake: Lake, plan: Plan, budget: Budget) -> dict[str, object]:
    """Rewrite what a plan names; return the number of files before and after, and what is left."""
    left, before = 0, lake.files(plan.table).height
    for group in packing.groups(plan.small, plan.table):
        if budget.is_over:
            left += len(group)
        else:
            packing.pack(lake, plan.table, group)
    for partition in plan.unsorted.sort("files", descending=True).iter_slices(1):
        if budget.is_over or not _sorted(settings, lake, plan.table, partition):
            left += int(partition["files"].item())
    figures: dict[str, object] = {"files": [before, lake.files(plan.table).height]}
    return figures | ({"left": left} if left else {})


def _sorted(settings: Settings, lake: Lake, table: Table, partition: pl.DataFrame) -> bool:
    """Have Spark sort; return False if other writers were faster each time, and it is left so."""
    spark = session(settings, "headwater-compact")
    named = {f"partition.{name}": name for name in table.partition_by}
    where = condition(table, partition.rename(named))

    def sort() -> None:
        if table is READINGS:
            sorted_readings.sort(spark, lake, where, partition)
        else:
            size = sorting.bytes_of(lake.files(table), partition)
            sorting.sort(spark, lake, table, where, size)

    try:
        # What is read stays, however long it takes.
        with Pins(settings).held({table.name: lake.table(table).version()}):
            tried(sort, f"sorting {table.name}")
    except LostError:
        log.warning("left for the next run: %s, %s", table.name, where)
        return False
    return True
