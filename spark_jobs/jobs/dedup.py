"""Prove that no key is in silver twice: set later copies aside, and have their gold restated."""

import argparse
import uuid
from collections.abc import Iterable
from datetime import date, datetime
from functools import reduce

import polars as pl
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from spark_jobs.commit_info import Txn
from spark_jobs.jobs.changed_files import written_since
from spark_jobs.jobs.job_runs import (
    Days,
    Result,
    add_dates,
    asked_days,
    last_success,
    recorded,
    tried,
    yesterday,
)
from spark_jobs.jobs.partitions import condition
from spark_jobs.jobs.removal_plan import RemovalPlan
from spark_jobs.jobs.restating import runs_of_days, silver_versions, take_up
from spark_jobs.jobs.setting_aside import set_aside
from spark_jobs.lake import Lake
from spark_jobs.pins import Pins
from spark_jobs.restatements import Mark, Restatements
from spark_jobs.session import session
from spark_jobs.transforms.copies import (
    ITEM,
    LATER,
    REMOVED,
    by_device_and_day,
    numbered,
    removed_messages,
)
from spark_jobs.transforms.marks import of_delays, of_rows
from telemetry.settings import Settings
from telemetry.tables import CONFLICTS, DEVICE_DUPLICATES, DUPLICATES, LATE, READINGS, Table

SILVER = (READINGS, LATE)
ASIDE = {"duplicates": DUPLICATES, "conflicts": CONFLICTS}
REASON = "dedup"
FIRST = [f"first_{name}" for name in ITEM]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the dates; the default is every closed date that was written since the last run."""
    add_dates(parser)
    parser.add_argument("--all", action="store_true", help="every closed date")


def run(arguments: argparse.Namespace, settings: Settings, lake: Lake) -> Result:
    """Keep the first message of each key, set the others aside, have their windows restated."""

    def work(now: datetime) -> Result:
        asked = asked_days(arguments)
        since = None if arguments.all or asked else last_success(lake, "dedup")
        dates = closed_dates(lake, asked, since, now)
        spark = session(settings, "headwater-dedup")
        # A run that was killed has left what it was about to change.
        Restatements(lake).settle(REASON, silver_versions(lake))
        plan = RemovalPlan(settings.checkpoint_dir / "dedup.plan", lake)
        # Spark holds its commit against all commits since it has read.
        with Pins(settings).held({table.name: lake.table(table).version() for table in SILVER}):
            removed = tried(lambda: _remove(spark, lake, plan, dates, now), "dedup of silver")
        days = _received_days(lake, asked, since) | set(removed["day"])
        restated = "nothing to do"
        if removed.height:
            restated = take_up(settings, lake, REASON)
        rows = _summarise(lake, days, removed, plan.txn)
        plan.forget()
        return {
            "dates": len(dates),
            "days": [[run.first, run.last] for run in runs_of_days(set(dates))],
            "removed_messages": removed.select(REMOVED).n_unique(),
            "removed_readings": removed["readings"].sum(),
            "gold": restated,
            "tables": {DEVICE_DUPLICATES.name: {"rows": rows}},
        }

    return recorded(lake, "dedup", arguments, work)


def closed_dates(
    lake: Lake, asked: Days | None, since: datetime | None, now: datetime
) -> list[date]:
    """Return the dates that are closed, and were written since the last run or open then."""
    was_open = False if since is None else pl.col("partition.event_date") >= since.date()
    found = _dates(lake, SILVER, "partition.event_date", written_since(since) | was_open)
    return sorted(
        day for day in found if day <= yesterday(now) and (asked is None or asked.holds(day))
    )


def _received_days(lake: Lake, asked: Days | None, since: datetime | None) -> set[date]:
    found = _dates(lake, ASIDE.values(), "partition.received_date", written_since(since))
    return {day for day in found if asked is None or asked.holds(day)}


def _dates(lake: Lake, tables: Iterable[Table], column: str, wanted: pl.Expr) -> set[date]:
    """Return the dates of partitions with a file that is wanted."""
    files = [lake.files(table).select(column, "modification_time") for table in tables]
    return set(pl.concat(files).filter(wanted)[column])


def _remove(
    spark: SparkSession, lake: Lake, plan: RemovalPlan, dates: list[date], now: datetime
) -> pl.DataFrame:
    """Remove later copies, after they are set aside and marked; return a row for each.

    What an earlier try or a killed run removed and did not count is among them.
    """
    copies = numbered(_silver(spark, lake, dates))
    found = pl.from_arrow(removed_messages(copies).toArrow())
    assert isinstance(found, pl.DataFrame)
    removed = plan.begin(found)
    if found.is_empty():
        return removed
    marks = Restatements(lake)
    windows = pl.concat([of_rows(found), of_delays(found)])
    marks.mark(windows, Mark(uuid.uuid4().hex, REASON, now))
    set_aside(lake, found.filter(copy=LATER))
    for table in SILVER:
        crowded = found.filter(pl.col("source") == table.name)
        if crowded.height:
            where = condition(table, crowded.select(table.partition_by))
            first = copies.where((F.col("source") == table.name) & F.col("copy").isNull())
            kept = first.where(where).select(*table.column_names)
            lake.rewrite(kept, table, where, plan.txn)
    marks.settle(REASON, silver_versions(lake))
    return removed


def _silver(spark: SparkSession, lake: Lake, dates: list[date]) -> DataFrame:
    is_asked = F.col("event_date").isin(dates) if dates else F.lit(False)
    frames = [
        lake.frame(spark, table).where(is_asked).withColumn("source", F.lit(table.name))
        for table in SILVER
    ]
    return reduce(lambda left, right: left.unionByName(right, allowMissingColumns=True), frames)


def _summarise(lake: Lake, days: set[date], removed: pl.DataFrame, txn: Txn) -> int:
    """Count what the stream set aside on these days, and what was ever removed."""
    if not days:
        return 0
    listed = sorted(days)
    aside = {
        name: lake.scan(table)
        .filter(pl.col("received_date").is_in(listed))
        .select("tenant", "device_full", "product", pl.col("received_date").alias("day"), *FIRST)
        .collect()
        for name, table in ASIDE.items()
    }
    before = lake.scan(DEVICE_DUPLICATES).filter(pl.col("day").is_in(listed)).collect()
    columns = ["tenant", "device_full", "product", "day", "removed"]
    counted = removed.unique(REMOVED).with_columns(removed=pl.lit(1, pl.Int64))
    rows = by_device_and_day(aside, pl.concat([before.select(columns), counted.select(columns)]))
    where = condition(DEVICE_DUPLICATES, pl.DataFrame({"day": listed}))
    lake.replace(DEVICE_DUPLICATES, rows, where, txn)
    return rows.height
