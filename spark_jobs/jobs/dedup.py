"""Prove that no key is in silver twice: set later copies aside, and have their gold restated.

It looks at closed dates that gained rows since the last run, and at the other dates that hold a key
of theirs: as far back as 20 million rows of silver go. `--all` looks at every date.
"""

import argparse
import uuid
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import reduce

import polars as pl
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from spark_jobs.commit_info import Txn
from spark_jobs.jobs.changed_files import written_since
from spark_jobs.jobs.copies_elsewhere import dates_elsewhere
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
from spark_jobs.jobs.looked_at import Looked, Note, look, new_dates
from spark_jobs.jobs.partitions import condition, date_column
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
from telemetry.errors import WrongUseError
from telemetry.settings import Settings
from telemetry.tables import CONFLICTS, DEVICE_DUPLICATES, DUPLICATES, LATE, READINGS, Table

SILVER = (READINGS, LATE)
ASIDE = {"duplicates": DUPLICATES, "conflicts": CONFLICTS}
LOOKED_AT = (*SILVER, *ASIDE.values())
REASON = "dedup"
CLOSED = "closed until"
"""In the note: the newest date that was closed when the last run began."""
FIRST = [f"first_{name}" for name in ITEM]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the dates; the default is every closed date that was written since the last run."""
    add_dates(parser)
    parser.add_argument("--all", action="store_true", help="every closed date")


def run(arguments: argparse.Namespace, settings: Settings, lake: Lake) -> Result:
    """Keep the first message of each key, set the others aside, have their windows restated."""

    def work(now: datetime) -> Result:
        asked = _closed(asked_days(arguments), now)
        note = Note(settings.checkpoint_dir / "dedup.looked")
        looked = {
            table.name: look(lake.table(table), table) for table in (*SILVER, *ASIDE.values())
        }
        is_all = arguments.all or asked is not None
        dates = closed_dates(lake, None if is_all else due(lake, note, looked, SILVER), asked, now)
        if not is_all:
            elsewhere = dates_elsewhere(lake, dates, closed_dates(lake, None, None, now))
            dates = sorted({*dates, *elsewhere})
        spark = session(settings, "headwater-dedup")
        # A run that was killed has left what it was about to change.
        Restatements(lake).settle(REASON, silver_versions(lake))
        plan = RemovalPlan(settings.checkpoint_dir / "dedup.plan", lake)
        # Spark holds its commit against all commits since it has read.
        with Pins(settings).held({table.name: lake.table(table).version() for table in SILVER}):
            removed = tried(lambda: _remove(spark, lake, plan, dates, now), "dedup of silver")
        aside = None if is_all else due(lake, note, looked, ASIDE.values())
        days = _received_days(lake, aside, asked) | set(removed["day"])
        restated = "nothing to do"
        if removed.height:
            restated = take_up(settings, lake, REASON)
        rows = _summarise(lake, days, removed, plan.txn)
        plan.forget()
        if asked is None:
            note.keep(looked, {CLOSED: [f"{yesterday(now)}"]})
        return {
            "dates": len(dates),
            "days": [[run.first, run.last] for run in runs_of_days(set(dates))],
            "removed_messages": removed.select(REMOVED).n_unique(),
            "removed_readings": removed["readings"].sum(),
            "gold": restated,
            "tables": {DEVICE_DUPLICATES.name: {"rows": rows}},
        }

    return recorded(lake, "dedup", arguments, work)


def _closed(asked: Days | None, now: datetime) -> Days | None:
    """Return the dates asked for; raise if none of them is over."""
    if asked is not None and asked.first > yesterday(now):
        raise WrongUseError(
            f"{asked.first} is not over: copies of a date are removed once nothing is added to it"
            f" any more, and {yesterday(now)} is the newest such date"
        )
    return asked


def due(
    lake: Lake, note: Note, looked: Mapping[str, Looked], tables: Iterable[Table]
) -> set[date] | None:
    """Return the dates that are new since the last run, or were open then; None: all are."""
    if not note.tables:
        return _written_since(lake, last_success(lake, "dedup"), tables)
    closed = date.fromisoformat(note.words[CLOSED][0])
    found: set[date] = set()
    for table in tables:
        now = looked[table.name]
        found |= new_dates(lake.table(table), table, note.tables.get(table.name), now)
        found |= {day for name in now.rows if (day := date.fromisoformat(name)) > closed}
    return found


def _written_since(lake: Lake, since: datetime | None, tables: Iterable[Table]) -> set[date] | None:
    """Return the dates by the age of files, where an earlier release left no note of its run."""
    if since is None:
        return None
    return {
        day
        for table in tables
        for column in [f"partition.{date_column(table)}"]
        for day in lake.files(table).filter(
            written_since(since) | (pl.col(column) >= since.date())
        )[column]
    }


def closed_dates(
    lake: Lake, wanted: set[date] | None, asked: Days | None, now: datetime
) -> list[date]:
    """Return the closed dates that silver has, of those that are wanted (None: all)."""
    found = _dates(lake, SILVER, "partition.event_date", wanted, asked)
    return sorted(day for day in found if day <= yesterday(now))


def _received_days(lake: Lake, wanted: set[date] | None, asked: Days | None) -> set[date]:
    return _dates(lake, ASIDE.values(), "partition.received_date", wanted, asked)


def _dates(
    lake: Lake, tables: Iterable[Table], column: str, wanted: set[date] | None, asked: Days | None
) -> set[date]:
    """Return the dates of partitions that are there and wanted."""
    there = {day for table in tables for day in lake.files(table)[column]}
    chosen = there if wanted is None else there & wanted
    return {day for day in chosen if asked is None or asked.holds(day)}


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
    columns = ["tenant", "device_full", "product", "day", "removed", *FIRST]
    counted = removed.unique(REMOVED).with_columns(removed=pl.lit(1, pl.Int64))
    rows = by_device_and_day(aside, pl.concat([before.select(columns), counted.select(columns)]))
    where = condition(DEVICE_DUPLICATES, pl.DataFrame({"day": listed}))
    lake.replace(DEVICE_DUPLICATES, rows, where, txn)
    return rows.height
