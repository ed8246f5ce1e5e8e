"""Jobs that rewrite tables while a writer appends and readers read: nobody loses."""

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import polars as pl
import pytest
from pyspark.sql import SparkSession

from spark_jobs.jobs.job_runs import tried
from spark_jobs.lake import Lake
from telemetry.settings import Settings
from telemetry.tables import DEVICE_DUPLICATES, READINGS
from tests.end_to_end.stack import Stack, free_port_base
from tests.spark_jobs.tables_at_work import (
    KEY,
    OLD_DAYS,
    ROWS,
    WRITER,
    Reader,
    TrinoReader,
    Writer,
    always,
    delete,
    fill,
    left_behind,
    merge,
    one_round,
    optimize,
)

ROUNDS = 5


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return a home whose tables have work."""
    return fill(Settings(home=tmp_path))


@pytest.fixture
def with_trino(tmp_path: Path) -> Iterator[Settings]:
    """Return such a home, whose tables Trino reads."""
    port_base = free_port_base()
    settings = fill(Settings(home=tmp_path, port_base=port_base))
    stack = Stack(tmp_path, port_base)
    try:
        stack.run("up", "--only", "trino")
        yield settings
    finally:
        stack.run("down", check=False)


def check(
    settings: Settings,
    writer: Writer,
    reader: Reader | TrinoReader,
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows = Lake(settings.lake_root).scan(READINGS).collect()
    assert rows.filter(pl.col("boot") == WRITER).height == ROWS * writer.appended
    assert not rows.select(KEY).is_duplicated().any()
    oldest = rows["event_date"].min()
    assert oldest == (datetime.now(UTC) - timedelta(days=3)).date(), "the expired day is dropped"
    assert reader.looks >= 3
    assert not left_behind(settings).exists(), "VACUUM has deleted nothing"
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
    rounds(spark, settings, [Reader(settings.lake_root)], caplog)


@pytest.mark.spark
@pytest.mark.trino
@pytest.mark.stack
@pytest.mark.faults
@pytest.mark.long
@pytest.mark.timeout(1200)
def test_trino_meets_no_missing_file_while_jobs_rewrite(
    spark: SparkSession, with_trino: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    reader, trino = Reader(with_trino.lake_root), TrinoReader(with_trino)
    rounds(spark, with_trino, [reader, trino], caplog)


def rounds(
    spark: SparkSession,
    settings: Settings,
    readers: Sequence[Reader | TrinoReader],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Run every job and statement that rewrites, again and again, beside a writer and readers."""
    caplog.set_level(logging.WARNING, "spark_jobs")
    writer = Writer(settings.lake_root)
    with always(writer.step, *(reader.step for reader in readers)):
        for number in range(ROUNDS):
            one_round(settings)
            tried(partial(merge, spark, settings, float(number)), "merge")
            tried(partial(delete, spark, settings), "delete")
            tried(partial(optimize, spark, settings), "optimize")
    for reader in readers:
        check(settings, writer, reader, caplog)
    removed = Lake(settings.lake_root).scan(DEVICE_DUPLICATES).collect()["removed"].sum()
    assert removed == ROWS // 4 * (len(OLD_DAYS) + ROUNDS)
