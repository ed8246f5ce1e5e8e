"""Figures that tables are held to without Spark: their flow, and gold's counts beside silver's."""

import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import polars as pl
from great_expectations.expectations.expectation import Expectation

from expectations import figures
from expectations.figures import Flow
from spark_jobs.jobs.changed_files import written_at
from spark_jobs.jobs.job_runs import Days
from spark_jobs.jobs.partitions import date_column
from spark_jobs.lake import Lake
from spark_jobs.transforms.spans import DAY, Span, days, midnight
from telemetry import tables
from telemetry.tables import DEVICE_WINDOWS, LATE, READINGS, ZONE_WINDOWS, Table

WATCHED = (tables.MESSAGES, READINGS, DEVICE_WINDOWS["minute"], ZONE_WINDOWS["minute"])
DAYS_BEFORE = 7
FEWEST_DAYS = 3
LOOKS_AGAIN = 24
PAUSE_S = 5.0
_DAY_TABLES = (DEVICE_WINDOWS["day"], ZONE_WINDOWS["day"])
_FINER_TABLES = tuple(
    table
    for table in (*DEVICE_WINDOWS.values(), *ZONE_WINDOWS.values())
    if table not in _DAY_TABLES
)


@dataclass(frozen=True, slots=True)
class Figures:
    """A small frame and what is expected of it, by the table that it speaks of."""

    name: str
    frame: pd.DataFrame
    expected: Mapping[str, Sequence[Expectation]]


@dataclass(frozen=True, slots=True)
class Closed:
    """The closed hours and the closed days of what is asked for."""

    now: datetime
    hours: Span
    days: Span


def closed(asked_days: Days | None, now: datetime) -> Closed:
    """Return the closed part of the days that are asked for; by default yesterday and today."""
    chosen = asked_days or Days(now.date() - DAY, now.date())
    asked = days(chosen.first, chosen.last)
    hour = now.replace(minute=0, second=0, microsecond=0)
    return Closed(
        now,
        hours=replace(asked, end=min(asked.end, hour)),
        days=replace(asked, end=min(asked.end, midnight(now.date()))),
    )


def all_figures(
    lake: Lake, asked: Collection[Table], over: Closed, progress_dir: Path
) -> Iterator[Figures]:
    """Yield what is known of the tables from their logs, and gold's counts beside silver's."""
    yield _flows(lake, asked, over.now)
    for unit, windows, within in (
        ("hour", _FINER_TABLES, over.hours),
        ("day", _DAY_TABLES, over.days),
    ):
        compared = [table for table in windows if table in asked]
        counts = _counts(lake, compared, unit, within)
        for _ in range(LOOKS_AGAIN):
            if not _differ(counts, compared) or not _is_running(progress_dir):
                break
            # Gold follows silver by seconds, by a minute on a busy machine, and late rows come.
            time.sleep(PAUSE_S)
            counts = _counts(lake, compared, unit, within)
        expected = figures.count_suite([table.name for table in compared])
        yield Figures(f"gold beside silver by {unit}", counts, expected)


def _flows(lake: Lake, asked: Collection[Table], now: datetime) -> Figures:
    flows = [_flow(lake, table, now) for table in WATCHED if table in asked]
    seen = [one for one in flows if one is not None]
    return Figures("freshness and volume", figures.flow_frame(seen), figures.flow_suite(seen))


def _flow(lake: Lake, table: Table, now: datetime) -> Flow | None:
    files = lake.files(table)
    if files.is_empty():
        return None
    newest = max(files.select(written_at()).to_series())
    age = max(0.0, (now - newest) / timedelta(minutes=1))
    # Days before there was the table are history, or a clock that is behind: no volume to go by.
    created_ms = lake.table(table).metadata().created_time or 0
    born = datetime.fromtimestamp(created_ms / 1000, UTC).date()
    return Flow(table.name, age, _share(files, table, now.date() - DAY, born))


def _share(files: pl.DataFrame, table: Table, last: date, born: date) -> float | None:
    column = f"partition.{date_column(table)}"
    counted = files.group_by(column).agg(pl.col("num_records").sum())
    rows: dict[date, int] = dict(counted.iter_rows())
    first = max(born, last - DAY * DAYS_BEFORE)
    before = [rows[day] for day in rows if first <= day < last]
    if len(before) < FEWEST_DAYS:
        return None
    return rows.get(last, 0) * len(before) / sum(before)


def _differ(counts: pd.DataFrame, compared: Sequence[Table]) -> bool:
    return any((counts[table.name] != counts["silver"]).any() for table in compared)


def _is_running(progress_dir: Path) -> bool:
    try:
        said = json.loads((progress_dir / "gold.json").read_text("utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return False
    return bool(said["state"] == "running")


def _counts(lake: Lake, compared: Sequence[Table], unit: str, within: Span) -> pd.DataFrame:
    if not compared:
        return pd.DataFrame()
    every = f"1{unit[0]}"
    frame = _silver(lake, every, within)
    for table in compared:
        frame = frame.join(_gold(lake, table, every, within), on="at", how="full", coalesce=True)
    return frame.sort("at").fill_null(0).to_pandas()


def _silver(lake: Lake, every: str, within: Span) -> pl.DataFrame:
    valued = pl.any_horizontal(
        pl.col(name).is_not_null() for name in ("value", "value_text", "value_bool")
    )
    rows = pl.concat(
        lake.scan(table)
        .filter(pl.col("event_date").is_between(within.start.date(), within.end.date()))
        .filter(within.holds("event_time"))
        .select(at=pl.col("event_time").dt.truncate(every), silver=valued.cast(pl.Int64))
        for table in (READINGS, LATE)
    )
    return rows.group_by("at").agg(pl.col("silver").sum()).collect(engine="streaming")


def _gold(lake: Lake, table: Table, every: str, within: Span) -> pl.DataFrame:
    rows = (
        lake.scan(table)
        .filter(within.holds("window_start"))
        .select(at=pl.col("window_start").dt.truncate(every), counted="count")
    )
    return rows.group_by("at").agg(pl.col("counted").sum().alias(table.name)).collect()
