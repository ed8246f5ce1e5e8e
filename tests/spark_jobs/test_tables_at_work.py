"""Jobs that rewrite tables while a writer appends and a reader reads: nobody loses."""

import argparse
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from pyspark.sql import SparkSession

from spark_jobs.jobs import compact, dedup, retention, vacuum
from spark_jobs.jobs.job_runs import Result, tried
from spark_jobs.lake import Lake, Txn
from telemetry.settings import Settings
from telemetry.tables import DEVICE_DUPLICATES, READINGS
from tests.spark_jobs.gold_fleet import fleet
from tests.spark_jobs.silver_rows import silver

EVERY_S = 0.2
ROWS = 12
KEY = list(READINGS.key)
OLD_DAYS = (1, 2, 3, 120)
WRITER = "writer"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return a home whose silver has closed days in many files, with copies, one day expired."""
    made = Settings(home=tmp_path)
    lake = Lake(made.lake_root)
    lake.create_all()
    for days in OLD_DAYS:
        for number in (0, 1, 2, 0):
            lake.append(READINGS, old(days, number), None)
    return made


def old(days: int, number: int) -> pl.DataFrame:
    """Return a batch of a closed day; its keys and coordinates are that day's."""
    rows = batch(number, datetime.now(UTC) - timedelta(days=days), f"{days} days ago")
    return rows.with_columns(offset=pl.col("offset") + 100_000 * days)


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


def one_round(settings: Settings) -> None:
    """Run each job that rewrites or deletes once."""
    lake = Lake(settings.lake_root)
    lake.append(READINGS, old(2, 0), None)
    assert run(dedup, settings, "--all")["removed_messages"]
    run(compact, settings, "--tables", READINGS.name)
    run(retention, settings)
    run(vacuum, settings)


def check(
    settings: Settings, writer: Writer, reader: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    rows = Lake(settings.lake_root).scan(READINGS).collect()
    assert rows.filter(pl.col("boot") == WRITER).height == ROWS * writer.appended
    assert not rows.select(KEY).is_duplicated().any()
    oldest = rows["event_date"].min()
    assert oldest == (datetime.now(UTC) - timedelta(days=3)).date(), "the expired day is dropped"
    assert reader.looks >= 3
    assert not [one for one in caplog.messages if "try 3 of 3" in one]


@pytest.mark.spark
@pytest.mark.timeout(900)
def test_jobs_end_while_a_writer_appends_and_a_reader_reads(
    spark: SparkSession, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "spark_jobs")
    writer, reader = Writer(settings.lake_root), Reader(settings.lake_root)
    with always(writer.step, reader.step):
        one_round(settings)
    check(settings, writer, reader, caplog)


@pytest.mark.spark
@pytest.mark.faults
@pytest.mark.long
@pytest.mark.timeout(1200)
def test_jobs_end_beside_appends_round_after_round(
    spark: SparkSession, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "spark_jobs")
    writer, reader = Writer(settings.lake_root), Reader(settings.lake_root)
    with always(writer.step, reader.step):
        for number in range(5):
            one_round(settings)
            tried(partial(merge, spark, settings, float(number)), "merge")
            tried(partial(delete, spark, settings), "delete")
    check(settings, writer, reader, caplog)
    removed = Lake(settings.lake_root).scan(DEVICE_DUPLICATES).collect()["removed"].sum()
    assert removed == ROWS // 4 * (len(OLD_DAYS) + 5)
