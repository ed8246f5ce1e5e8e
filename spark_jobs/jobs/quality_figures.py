"""Figures that tables are held to without Spark: their flow, and gold's counts beside silver's."""

import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import polars as pl
from great_expectations.expectations.expectation import Expectation

from expectations import figures
from expectations.figures import Flow
from spark_jobs.jobs.changed_files import written_at
from spark_jobs.jobs.partitions import date_column
from spark_jobs.lake import Lake
from spark_jobs.transforms.held import Held
from spark_jobs.transforms.spans import DAY, Span, days, midnight
from telemetry import tables
from telemetry.tables import DEVICE_WINDOWS, LATE, READINGS, ZONE_WINDOWS, Table

WATCHED = (tables.MESSAGES, READINGS, DEVICE_WINDOWS["minute"], ZONE_WINDOWS["minute"])
DAYS_BEFORE = 7
FEWEST_DAYS = 3
LOOKS_AGAIN = 24
PAUSE_S = 5.0
BESIDE = "gold beside silver"
_DAY_TABLES = (DEVICE_WINDOWS["day"], ZONE_WINDOWS["day"])
COMPARED = (*DEVICE_WINDOWS.values(), *ZONE_WINDOWS.values())
"""Tables that count each reading of silver once."""
_FINER_TABLES = tuple(table for table in COMPARED if table not in _DAY_TABLES)


@dataclass(frozen=True, slots=True)
class Figures:
    """A small frame and what is expected of it, by the table that it speaks of."""

    name: str
    frame: pd.DataFrame
    expected: Mapping[str, Sequence[Expectation]]


@dataclass(frozen=True, slots=True)
class Compared:
    """Days of which gold's counts are held against silver's: what of them is over.

    Windows whose readings retention has dropped have nothing to be held against.
    """

    now: datetime
    days: Sequence[date]
    held: Held

    def until(self, end: datetime) -> Sequence[date]:
        """Return the days that begin before a time."""
        return [day for day in self.days if midnight(day) < end]


def all_figures(
    lake: Lake, asked: Collection[Table], over: Compared, progress_dir: Path
) -> Iterator[Figures]:
    """Yield what is known of the tables from their logs, and gold's counts beside silver's."""
    yield _flows(lake, asked, over.now)
    hour = over.now.replace(minute=0, second=0, microsecond=0)
    for unit, windows, end in (
        ("hour", _FINER_TABLES, hour),
        ("day", _DAY_TABLES, midnight(over.now.date())),
    ):
        compared = [table for table in windows if table in asked]
        within = _Within(f"1{unit[0]}", over.until(end), end, over.held)
        counts = _counts(lake, compared, within)
        for _ in range(LOOKS_AGAIN):
            if not _differ(counts, compared) or not _is_running(progress_dir):
                break
            # Gold follows silver by seconds, by a minute on a busy machine, and late rows come.
            time.sleep(PAUSE_S)
            counts = _counts(lake, compared, within)
        expected = figures.count_suite([table.name for table in compared])
        yield Figures(f"{BESIDE} by {unit}", counts, expected)


def days_apart(found: Figures) -> set[date]:
    """Return the days on which some table of gold counts something else than silver."""
    counts = found.frame
    if not found.name.startswith(BESIDE) or counts.empty:
        return set()
    differs = counts[list(found.expected)].ne(counts["silver"], axis=0).any(axis=1)
    return {at.date() for at in counts["at"][differs]}


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


@dataclass(frozen=True, slots=True)
class _Within:
    """Closed windows of some days, counted by hours or days (`every`)."""

    every: str
    days: Sequence[date]
    end: datetime
    held: Held

    def holds(self, column: str) -> pl.Expr:
        """Return the filter of a time; its bounds let files be left out unread."""
        whole = days(min(self.days), max(self.days))
        span = Span(whole.start, min(whole.end, self.end))
        return span.holds(column) & pl.col(column).dt.date().is_in(self.days)


def _counts(lake: Lake, compared: Sequence[Table], within: _Within) -> pd.DataFrame:
    if not compared:
        return pd.DataFrame()
    if not within.days:
        names = [table.name for table in compared]
        return pd.DataFrame(columns=["at", "silver", *names], dtype="int64")
    frame = _silver(lake, within)
    for table in compared:
        frame = frame.join(_gold(lake, table, within), on="at", how="full", coalesce=True)
    return frame.sort("at").fill_null(0).to_pandas()


def _silver(lake: Lake, within: _Within) -> pl.DataFrame:
    valued = pl.any_horizontal(
        pl.col(name).is_not_null() for name in ("value", "value_text", "value_bool")
    )
    rows = pl.concat(
        lake.scan(table)
        .filter(pl.col("event_date").is_in(within.days))
        .filter(within.holds("event_time"))
        .select(at=pl.col("event_time").dt.truncate(within.every), silver=valued.cast(pl.Int64))
        for table in (READINGS, LATE)
    )
    return rows.group_by("at").agg(pl.col("silver").sum()).collect(engine="streaming")


def _gold(lake: Lake, table: Table, within: _Within) -> pl.DataFrame:
    rows = (
        lake.scan(table)
        .filter(within.holds("window_start"), within.held.whole)
        .select(at=pl.col("window_start").dt.truncate(within.every), counted="count")
    )
    return rows.group_by("at").agg(pl.col("counted").sum().alias(table.name)).collect()
