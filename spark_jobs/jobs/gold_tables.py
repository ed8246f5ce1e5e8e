"""Merges partials into the gold tables, each table in one commit that depends on no other."""

from datetime import timedelta

import polars as pl

from spark_jobs.jobs.gold_sessions import Regrown, grown
from spark_jobs.lake import Lake, Txn
from spark_jobs.table_files import Change
from spark_jobs.transforms import delays, sessions, windows
from spark_jobs.transforms.finality import OPEN, due, open_windows
from spark_jobs.transforms.partials import SERIES, STATISTICS, merged
from spark_jobs.transforms.reduction import Reduction
from spark_jobs.transforms.scopes import WINDOW, scope
from telemetry.tables import (
    DELIVERY_DELAY,
    DEVICE_SLIDING,
    DEVICE_WINDOWS,
    SESSIONS,
    WINDOW_MINUTES,
    ZONE_WINDOWS,
    Table,
)

TUMBLING = (*DEVICE_WINDOWS.values(), *ZONE_WINDOWS.values())
WINDOW_TABLES = (*TUMBLING, DEVICE_SLIDING, SESSIONS)
TABLES = (*WINDOW_TABLES, DELIVERY_DELAY)
Written = dict[str, int]
_RANGE_WINDOWS = 5
_ENDS = ["tenant", "product", "retention_class", "window_start", "window_end"]


class GoldTables:
    """The gold tables as one owner writes them; it knows which windows are still open."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._open: dict[str, pl.DataFrame] = {}

    def find_open(self, watermarks: pl.DataFrame, settled: pl.DataFrame) -> None:
        """Read which windows are open, of products that have a watermark now.

        What ended by the `settled` watermarks is known to be final and is not read.
        """
        for table in WINDOW_TABLES:
            stored = self._lake.scan(table)
            self._open[table.name] = open_windows(stored, watermarks, settled)

    def merge(
        self, parts: Reduction, rules: pl.DataFrame, watermarks: pl.DataFrame, txn: Txn
    ) -> Written:
        """Merge a batch into every table it touches; windows that ended turn final."""
        gained = _by_table(parts, rules)
        written = {
            table.name: self._merge_windows(table, gained[table.name], watermarks, txn)
            for table in (*TUMBLING, DEVICE_SLIDING)
        }
        written[SESSIONS.name] = self._merge_sessions(parts.sessions, rules, watermarks, txn)
        written[DELIVERY_DELAY.name] = self._merge_delays(parts.delays, txn)
        return {name: rows for name, rows in written.items() if rows}

    def _merge_windows(
        self, table: Table, gained: pl.DataFrame, watermarks: pl.DataFrame, txn: Txn
    ) -> int:
        ending = self._due(table, watermarks)
        windows_touched = pl.concat([gained.select(WINDOW), ending.select(WINDOW)])
        if windows_touched.is_empty():
            return 0
        near = scope(windows_touched, _width(table) * _RANGE_WINDOWS)
        by = [*SERIES, table.key[2], "window_start"]
        columns = [*by, *STATISTICS, "window_end"]

        def change(stored: pl.LazyFrame) -> Change:
            before = stored.filter(near.rows).select(columns).collect()
            together = pl.concat([_touched(before, gained, ending, by), gained.select(columns)])
            rows = merged(together, by, pl.col("window_end").max())
            return self._completed(table, Regrown(rows, rows.select(by), near.files), watermarks)

        return self._lake.update(table, change, txn) or 0

    def _merge_sessions(
        self, fresh: pl.DataFrame, rules: pl.DataFrame, watermarks: pl.DataFrame, txn: Txn
    ) -> int:
        ending = self._due(SESSIONS, watermarks)
        if fresh.is_empty() and ending.is_empty():
            return 0
        joined = sessions.joined(fresh)

        def change(stored: pl.LazyFrame) -> Change | None:
            regrown = grown(stored, joined, ending, rules)
            return None if regrown is None else self._completed(SESSIONS, regrown, watermarks)

        return self._lake.update(SESSIONS, change, txn) or 0

    def _completed(self, table: Table, regrown: Regrown, watermarks: pl.DataFrame) -> Change:
        done = windows.completed(regrown.rows, table, watermarks)
        still_open = open_windows(done.lazy(), watermarks, settled=watermarks.clear())
        known = self._open[table.name]
        # What is due is final now; what a session has outgrown is found not to be there when due.
        before = known.join(due(known, watermarks), on=OPEN, how="anti")
        self._open[table.name] = pl.concat([before, still_open]).unique()
        frames = done.filter("is_final"), done.filter(~pl.col("is_final"))
        return Change(frames, regrown.replaced, regrown.files)

    def _due(self, table: Table, watermarks: pl.DataFrame) -> pl.DataFrame:
        return due(self._open[table.name], watermarks)

    def _merge_delays(self, fresh: pl.DataFrame, txn: Txn) -> int:
        if fresh.is_empty():
            return 0
        hours = fresh["hour"].unique().sort().to_list()
        dates = sorted({hour.date() for hour in hours})
        is_touched = pl.col("hour").is_in(hours)
        touched = fresh.select(delays.KEY).unique()
        may_hold = pl.col("partition.hour_date").is_in(dates)

        def change(stored: pl.LazyFrame) -> Change:
            dated = stored.filter(pl.col("hour_date").is_in(dates), is_touched)
            before = dated.collect().join(touched, on=touched.columns, how="semi")
            rows = delays.merged(delays.unfolded(before), fresh)
            return Change((rows.select(DELIVERY_DELAY.column_names),), touched, may_hold)

        return self._lake.update(DELIVERY_DELAY, change, txn) or 0


def _touched(
    before: pl.DataFrame, gained: pl.DataFrame, ending: pl.DataFrame, by: list[str]
) -> pl.DataFrame:
    """Return the stored rows that gain something, and those of windows that end."""
    grown = before.join(gained.select(by), on=by, how="semi")
    if ending.is_empty():
        return grown
    ended = before.join(ending, on=_ENDS, how="semi")
    return pl.concat([grown, ended.join(gained, on=by, how="anti")])


def _by_table(parts: Reduction, rules: pl.DataFrame) -> dict[str, pl.DataFrame]:
    gained = windows.cascade(parts.minutes)
    gained[DEVICE_SLIDING.name] = windows.sliding(parts.minutes, rules)
    return {
        table.name: windows.ended(gained[table.name], table).with_columns(windows.period(table))
        for table in (*TUMBLING, DEVICE_SLIDING)
    }


def _width(table: Table) -> timedelta:
    name = table.name.partition("_")[2]
    return timedelta(minutes=WINDOW_MINUTES.get(name, 1))
