"""A home whose tables have work: closed days in many files, a writer, readers, and the jobs."""

import argparse
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
from pyspark.sql import SparkSession

from infra.trino.registration import trino_connection
from spark_jobs.commit_info import Txn
from spark_jobs.jobs import compact, dedup, retention, vacuum
from spark_jobs.jobs.job_runs import Result
from spark_jobs.lake import Lake
from telemetry.settings import Settings
from telemetry.tables import READINGS
from tests.spark_jobs.gold_fleet import fleet
from tests.spark_jobs.silver_rows import silver

EVERY_S = 0.2
ROWS = 12
KEY = list(READINGS.key)
OLD_DAYS = (1, 2, 3, 120)
WRITER = "writer"
UNTOUCHED_DAYS = (2, 3)
"""Days whose keys no job takes away: all but yesterday, which the test changes, and the expired."""
BATCHES = f"""
    select boot, seq / 1000, count(*), count(distinct ({", ".join(KEY)}))
    from {READINGS.name}
    group by boot, seq / 1000
"""


def fill(settings: Settings) -> Settings:
    """Make a lake whose silver has closed days in many files, with copies, one day expired."""
    lake = Lake(settings.lake_root)
    lake.create_all()
    for days in OLD_DAYS:
        for number in (0, 1, 2, 0):
            lake.append(READINGS, old(days, number), None)
    left = left_behind(settings)
    left.touch()
    os.utime(left, times=(0, 0))
    return settings


def left_behind(settings: Settings) -> Path:
    """Return a file that a writer long dead has left, which VACUUM deletes."""
    return Path(Lake(settings.lake_root).uri(READINGS)) / "left-behind.parquet"


def old(days: int, number: int) -> pl.DataFrame:
    """Return a batch of a closed day; its keys and coordinates are that day's."""
    rows = batch(number, datetime.now(UTC) - timedelta(days=days), boot_of(days))
    return rows.with_columns(offset=pl.col("offset") + 100_000 * days)


def boot_of(days: int) -> str:
    """Return the boot of all that a closed day has."""
    return f"{days} days ago"


def batch(number: int, at: datetime, boot: str) -> pl.DataFrame:
    """Return the rows of one append: so many, told apart by their number."""
    rows = fleet(seed=0, messages=ROWS // 4, span_s=1).with_columns(
        boot=pl.lit(boot),
        seq=pl.col("seq") + 1000 * number,
        event_time=pl.lit(at).cast(pl.Datetime("us", "UTC")),
        received_at=pl.lit(at).cast(pl.Datetime("us", "UTC")),
        retention_class=pl.lit("default"),
    )
    return silver(rows, READINGS)


class Writer:
    """Appends five times a second, as landing does; it may be late, never fail."""

    def __init__(self, root: str) -> None:
        self.appended = 0
        self._lake = Lake(root)

    def step(self) -> None:
        """Append the next batch."""
        rows = batch(self.appended, datetime.now(UTC), WRITER)
        assert self._lake.append(READINGS, rows, Txn("landing/test", self.appended))
        self.appended += 1
        time.sleep(EVERY_S)


class Reader:
    """Reads all rows, each time as a newcomer or with a handle that it keeps."""

    def __init__(self, root: str) -> None:
        self.looks, self.most = 0, 0
        self._root = root
        self._kept = Lake(root)

    def step(self) -> None:
        """Look once."""
        lake = self._kept if self.looks % 2 else Lake(self._root)
        rows = lake.scan(READINGS).select(*KEY, "value", "topic").collect()
        mine = rows.filter(pl.col("boot") == WRITER)
        assert not mine.select(KEY).is_duplicated().any(), "a key is there twice"
        halves = mine.group_by(pl.col("seq") // 1000).len().filter(pl.col("len") != ROWS)
        assert halves.is_empty(), f"a batch is there in part: {halves}"
        assert len(mine) >= self.most, "rows are gone"
        self.looks, self.most = self.looks + 1, len(mine)
        time.sleep(EVERY_S)


class TrinoReader:
    """Reads every row of the table through Trino, in one statement a look."""

    def __init__(self, settings: Settings) -> None:
        self.looks, self.most = 0, 0
        self._cursor = trino_connection(settings, user="reader").cursor()

    def step(self) -> None:
        """Look once."""
        self._cursor.execute(BATCHES)
        batches = {(boot, number): found for boot, number, *found in self._cursor.fetchall()}
        mine = [found for (boot, _), found in batches.items() if boot == WRITER]
        assert all(found == [ROWS, ROWS] for found in mine), f"a batch in part or twice: {mine}"
        assert len(mine) >= self.most, "batches are gone"
        for days in UNTOUCHED_DAYS:
            kept = [keys for (boot, _), (_, keys) in batches.items() if boot == boot_of(days)]
            assert kept == [ROWS] * 3, f"rows of a closed day are gone: {kept}"
        self.looks, self.most = self.looks + 1, len(mine)
        time.sleep(EVERY_S)


@contextmanager
def always(*steps: Callable[[], None]) -> Iterator[None]:
    """Take each step again and again in a thread of its own; raise what one of them raised."""
    stopping, failures = threading.Event(), list[BaseException]()

    def run(step: Callable[[], None]) -> None:
        try:
            while not stopping.is_set():
                step()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]


def run(job: object, settings: Settings, *words: str) -> Result:
    parser = argparse.ArgumentParser()
    job.add_arguments(parser)  # type: ignore[attr-defined]
    lake = Lake(settings.lake_root)
    return dict(job.run(parser.parse_args(words), settings, lake))  # type: ignore[attr-defined]


def yesterdays(settings: Settings) -> str:
    day = (datetime.now(UTC) - timedelta(days=1)).date()
    uri = Lake(settings.lake_root).uri(READINGS)
    return f"delta.`{uri}` as t|t.retention_class = 'default' and t.event_date = date'{day}'"


def merge(spark: SparkSession, settings: Settings, marked: float) -> None:
    """Change rows of a closed day by MERGE."""
    table, day = yesterdays(settings).split("|")
    source = f"(select {marked} as mark) as s"
    spark.sql(
        f"merge into {table} using {source} on {day} and t.metric = 'fixed'"
        " when matched then update set value = s.mark"
    )


def delete(spark: SparkSession, settings: Settings) -> None:
    """Delete rows of a closed day."""
    table, day = yesterdays(settings).split("|")
    spark.sql(f"delete from {table} where {day} and t.metric = 'state'")


def optimize(spark: SparkSession, settings: Settings) -> None:
    """Rewrite and sort the files of a closed day by OPTIMIZE."""
    table, day = yesterdays(settings).split(" as t|")
    where = day.replace("t.", "")
    spark.sql(f"optimize {table} where {where} zorder by (device_full, metric)")


def one_round(settings: Settings) -> None:
    """Run each job that rewrites or deletes once."""
    lake = Lake(settings.lake_root)
    lake.append(READINGS, old(2, 0), None)
    assert run(dedup, settings, "--all")["removed_messages"]
    run(compact, settings, "--tables", READINGS.name)
    run(retention, settings)
    run(vacuum, settings)
