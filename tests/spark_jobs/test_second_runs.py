"""Scheduled jobs run twice with new data in between: the second result is that of one run."""

import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import CommitProperties
from pyspark.sql import SparkSession

from edge.registry_files import RegistryFiles
from spark_jobs import table_files
from spark_jobs.jobs import baselines, compact, quality, retention, summaries
from spark_jobs.lake import Lake
from telemetry.settings import Settings
from telemetry.tables import (
    BASELINES,
    DEVICE_HOUR,
    JOB_RUNS,
    QUALITY,
    READINGS,
    SUMMARIES,
    TABLES,
    Table,
)
from tests.spark_jobs.empty_lakes import create_all
from tests.spark_jobs.gold_fleet import PRODUCTS, fleet
from tests.spark_jobs.silver_rows import silver
from tests.spark_jobs.test_batch_jobs import advance, assert_equal, rows, run

pytestmark = pytest.mark.spark
DAYS = ("--from", "2026-10-20", "--to", "2026-10-21")
OLD = date(2026, 11, 2)
"""A version of the baselines behind the fleet's hours."""


def home(path: Path) -> Settings:
    """Return a home with an empty lake that knows the fleet's products."""
    made = Settings(home=path)
    create_all(Lake(made.lake_root))
    for product in PRODUCTS:
        RegistryFiles(made.registry_dir).put_product(product)
    return made


def land(spark: SparkSession, settings: Settings, seed: int) -> None:
    """Let readings come, and gold take them up."""
    found = fleet(seed, messages=120).with_columns(boot=pl.lit(f"b{seed}"))
    Lake(settings.lake_root).append(READINGS, silver(found, READINGS), None)
    advance(spark, settings)


@pytest.fixture(scope="module")
def before(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return homes that no job has seen: with what comes first, and with all."""
    first = home(tmp_path_factory.mktemp("before") / "first")
    land(spark, first, seed=5)
    whole = copied(first.home, first.home.with_name("whole"))
    land(spark, whole, seed=6)
    return first.home, whole.home


def copied(made: Path, home: Path) -> Settings:
    shutil.copytree(made, home)
    return Settings(home=home)


@pytest.fixture
def settings(before: tuple[Path, Path], tmp_path: Path) -> Settings:
    return copied(before[0], tmp_path / "twice")


@pytest.fixture(scope="module")
def summarised(before: tuple[Path, Path]) -> Settings:
    """Return a home in which all data were there before the only run of the summaries."""
    made = copied(before[1], before[1].with_name("summarised"))
    run(summaries, made, *DAYS)
    return made


@pytest.fixture
def whole(before: tuple[Path, Path], tmp_path: Path) -> Settings:
    """Return a home in which all data were there before any job."""
    return copied(before[1], tmp_path / "once")


def assert_same(settings: Settings, whole: Settings, tables: tuple[Table, ...]) -> None:
    for table in tables:
        found = rows(settings, table)
        assert found.height
        assert_equal(found, rows(whole, table))


@pytest.mark.long
def test_summaries_take_up_old_days_that_grew(
    spark: SparkSession, settings: Settings, summarised: Settings
) -> None:
    run(summaries, settings)
    land(spark, settings, seed=6)
    run(summaries, settings)

    assert_same(settings, summarised, SUMMARIES)


def test_summaries_take_up_what_came_after_the_clock_was_set_back(
    spark: SparkSession, settings: Settings, summarised: Settings
) -> None:
    run(summaries, settings)
    lake = Lake(settings.lake_root)
    runs = lake.scan(JOB_RUNS).with_columns(pl.col("started_at") + timedelta(days=30)).collect()
    lake.replace(JOB_RUNS, runs, None, None)
    land(spark, settings, seed=6)
    run(summaries, settings)

    assert_same(settings, summarised, SUMMARIES)


def test_summaries_of_windows_that_retention_has_dropped_stay(
    summarised: Settings, tmp_path: Path
) -> None:
    settings = copied(summarised.home, tmp_path / "retained")
    there = {table: rows(settings, table) for table in SUMMARIES}
    run(retention, settings, "--today", "2028-03-01")
    left = rows(settings, DEVICE_HOUR)
    assert set(left["product"]) == {"archive"}

    run(summaries, settings, *DAYS)

    for table, expected in there.items():
        assert set(expected["product"]) == {"meter", "archive"}
        assert_equal(rows(settings, table), expected)


@pytest.mark.long
def test_baselines_of_a_version_are_of_all_its_hours(
    spark: SparkSession, settings: Settings, whole: Settings
) -> None:
    run(baselines, settings, "--version", str(OLD))
    land(spark, settings, seed=6)
    run(baselines, settings, "--version", str(OLD))
    run(baselines, settings, "--version", str(OLD + timedelta(days=1)))
    for day in (0, 1):
        run(baselines, whole, "--version", str(OLD + timedelta(days=day)))

    assert_same(settings, whole, (BASELINES,))
    assert rows(settings, BASELINES)["version"].n_unique() == 2


def test_compact_packs_what_came_and_changes_no_row(
    spark: SparkSession, settings: Settings, whole: Settings
) -> None:
    run(compact, settings)
    land(spark, settings, seed=6)
    told = run(compact, settings)

    assert told["left"] == 0
    lake = Lake(settings.lake_root)
    for table in (READINGS, DEVICE_HOUR):
        assert_same(settings, whole, (table,))
        names = [f"partition.{name}" for name in table.partition_by]
        files = lake.files(table)
        assert files.height == files.select(names).n_unique()


def test_compact_packs_tables_of_which_nothing_has_statistics(tmp_path: Path) -> None:
    settings = home(tmp_path)
    lake = Lake(settings.lake_root)
    schema = lake.scan(JOB_RUNS).collect_schema()
    long_ago = datetime(2026, 10, 20, tzinfo=UTC)
    for number in range(3):
        row = {
            "run_id": str(number),
            "job": "dedup",
            "started_at": long_ago,
            "success": True,
            "started_date": long_ago.date(),
        }
        lake.append(JOB_RUNS, pl.DataFrame([{n: row.get(n) for n in schema}], schema=schema), None)

    run(compact, settings, "--tables", JOB_RUNS.name)

    found = rows(settings, JOB_RUNS).filter(pl.col("job") == "dedup")
    assert found["run_id"].to_list() == ["0", "1", "2"]
    days = lake.files(JOB_RUNS)["partition.started_date"].to_list()
    assert days.count(long_ago.date()) == 1


def test_retention_drops_what_came_after_its_last_run(
    spark: SparkSession, settings: Settings, whole: Settings
) -> None:
    after = ("--today", "2027-02-01")
    run(retention, settings, *after)
    land(spark, settings, seed=6)
    run(retention, settings, *after)
    run(retention, whole, *after)

    for table in TABLES:
        if table not in (JOB_RUNS, QUALITY):
            assert_equal(rows(settings, table), rows(whole, table))
    assert set(rows(settings, READINGS)["retention_class"]) == {"history"}


def held(settings: Settings) -> dict[str, object]:
    told = run(quality, settings, "--exit-zero", "--tables", READINGS.name)["tables"]
    assert isinstance(told, dict)
    figures: dict[str, object] = told[READINGS.name]
    return figures


@pytest.mark.long
def test_quality_holds_each_row_once_and_what_was_committed_late(
    spark: SparkSession, settings: Settings
) -> None:
    lake = Lake(settings.lake_root)
    good = rows(settings, READINGS)
    bad = good.head(3).with_columns(boot=pl.lit("bad"), clock=pl.lit("none such"))
    late = lake.row_files(READINGS).write([bad])
    land(spark, settings, seed=6)
    both = rows(settings, READINGS).height

    first = held(settings)
    assert (first["rows"], held(settings)["rows"]) == (both, 0)

    # Written before the first run looked, committed after it.
    table_files.commit(lake.table(READINGS), READINGS, [*late], CommitProperties())
    second = held(settings)

    assert second["rows"] == 3
    assert "clock" in str(second["failed"])
    # What does not hold is held again until it does.
    assert held(settings)["rows"] == 3
    run(compact, settings, "--tables", READINGS.name)
    assert "clock" in str(held(settings)["failed"])
