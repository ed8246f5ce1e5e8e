"""Merges partials into the gold tables, each table in one commit that depends on no other."""

import polars as pl

from spark_jobs.commit_info import Txn
from spark_jobs.jobs.gold_sessions import Regrown, grown
from spark_jobs.jobs.gold_windows import GoldWindows
from spark_jobs.lake import Lake
from spark_jobs.table_files import Change
from spark_jobs.transforms import delays, sessions, window_rows, windows
from spark_jobs.transforms.finality import OPEN, due, open_windows
from spark_jobs.transforms.reduction import Reduction
from telemetry.tables import DELIVERY_DELAY, SESSIONS

WINDOW_TABLES = (*window_rows.TABLES, SESSIONS)
TABLES = (*WINDOW_TABLES, DELIVERY_DELAY)
Written = dict[str, int]


class GoldTables:
    """The gold tables as one owner writes them; it knows which windows are still open."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._windows = GoldWindows(lake)
        self._open = pl.DataFrame()

    def find_open(self, watermarks: pl.DataFrame, settled: pl.DataFrame) -> None:
        """Read which windows are open, of products that have a watermark now.

        What ended by the `settled` watermarks is known to be final and is not read.
        """
        self._windows.find_open(watermarks, settled)
        self._open = open_windows(self._lake.scan(SESSIONS), watermarks, settled)

    def merge(
        self, parts: Reduction, rules: pl.DataFrame, watermarks: pl.DataFrame, txn: Txn
    ) -> Written:
        """Merge a batch into every table it touches; windows that ended turn final."""
        written = self._windows.merge(parts.minutes, rules, watermarks, txn)
        written[SESSIONS.name] = self._merge_sessions(parts.sessions, rules, watermarks, txn)
        written[DELIVERY_DELAY.name] = self._merge_delays(parts.delays, txn)
        return {name: rows for name, rows in written.items() if rows}

    def _merge_sessions(
        self, fresh: pl.DataFrame, rules: pl.DataFrame, watermarks: pl.DataFrame, txn: Txn
    ) -> int:
        ending = due(self._open, watermarks)
        if fresh.is_empty() and ending.is_empty():
            return 0
        joined = sessions.joined(fresh)

        def change(stored: pl.LazyFrame) -> Change | None:
            regrown = grown(stored, joined, ending, rules)
            return None if regrown is None else self._completed(regrown, watermarks)

        return self._lake.update(SESSIONS, change, txn) or 0

    def _completed(self, regrown: Regrown, watermarks: pl.DataFrame) -> Change:
        done = windows.completed(regrown.rows, SESSIONS, watermarks)
        still_open = open_windows(done.lazy(), watermarks, settled=watermarks.clear())
        # What is due is final now; what a session has outgrown is found not to be there when due.
        before = self._open.join(due(self._open, watermarks), on=OPEN, how="anti")
        self._open = pl.concat([before, still_open]).unique()
        frames = done.filter("is_final"), done.filter(~pl.col("is_final"))
        return Change(frames, regrown.replaced, regrown.files)

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
