"""The job `baselines` against numpy, and its versions as rules read them."""

import argparse
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from pyspark.sql import SparkSession

from detection.rules.readings import Series
from spark_jobs.jobs import baselines
from spark_jobs.lake import Lake
from spark_jobs.stored_baselines import StoredBaselines
from telemetry.settings import Settings
from telemetry.tables import BASELINES, DEVICE_HOUR, JOB_RUNS

pytestmark = pytest.mark.spark
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
VERSION = date(2026, 2, 2)


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """Return a lake with four weeks of hours of two devices, and hours outside of them."""
    made = Lake(str(tmp_path_factory.mktemp("home") / "lake"))
    for table in (DEVICE_HOUR, BASELINES, JOB_RUNS):
        made.create(table)
    drawn = np.random.default_rng(1)
    hours = [*range(4 * 168), 4 * 168 + 5]
    rows = [
        {
            "tenant": "default", "device_full": device, "product": "home", "metric": "power",
            "window_start": MONDAY + timedelta(hours=hour),
            "window_end": MONDAY + timedelta(hours=hour + 1),
            "count": 12, "mean": float(drawn.normal(100, 10)), "is_final": True,
            "stddev": float(drawn.uniform(1, 2)), "retention_class": "history",
            "window_period": (MONDAY + timedelta(hours=hour)).date().replace(day=1),
        }
        for device in ("home.a", "home.b") for hour in hours
        if (device, hour % 168) != ("home.b", 3)
    ]  # fmt: skip
    made.append(
        DEVICE_HOUR, pl.DataFrame(rows, schema=made.scan(DEVICE_HOUR).collect_schema()), None
    )
    return made


def run(lake: Lake, version: date) -> dict[str, object]:
    arguments = argparse.Namespace(version=version)
    return dict(baselines.run(arguments, Settings(home=Path(lake.root).parent), lake))


def stored(lake: Lake, version: date) -> pl.DataFrame:
    rows = lake.scan(BASELINES).filter(pl.col("version") == version).collect()
    return rows.sort("device_full", "slot")


def test_baselines_are_medians_of_the_weeks_and_made_again_they_are_the_same(lake: Lake) -> None:
    told = run(lake, VERSION)
    first = stored(lake, VERSION)
    run(lake, VERSION)

    assert told["tables"] == {BASELINES.name: {"rows": 2 * 168 - 1, "series": 2}}
    assert_frame_equal(stored(lake, VERSION), first)
    hours = lake.scan(DEVICE_HOUR).filter(pl.col("window_start") < datetime(2026, 2, 2, tzinfo=UTC))
    for device, slot, weeks, median, mad, spread in (
        first.select("device_full", "slot", "weeks", "median", "mad", "spread")
        .sample(40, seed=1)
        .iter_rows()
    ):
        starts = [MONDAY + timedelta(hours=slot + 168 * week) for week in range(4)]
        mine = hours.filter(
            pl.col("device_full") == device, pl.col("window_start").is_in(starts)
        ).collect()
        middle = float(np.median(mine["mean"].to_numpy()))
        away = float(np.median(np.abs(mine["mean"].to_numpy() - middle)))
        within = float(np.median(mine["stddev"].to_numpy()))
        assert (weeks, median, mad) == (4, pytest.approx(middle), pytest.approx(away))
        assert spread == pytest.approx(np.hypot(within, 1.4826 * away))


def test_rules_read_the_newest_version_of_the_series_they_ask_for(lake: Lake) -> None:
    read = StoredBaselines(lake)
    run(lake, VERSION - timedelta(days=7))
    run(lake, VERSION)
    names = ("home.b", "home.none", "home.a")

    version = read.version()
    assert version == (VERSION - date(1970, 1, 1)).days
    weeks = read.weeks([Series("default", name, "power") for name in names], version)

    rows = stored(lake, VERSION)
    mine = rows.filter(pl.col("device_full") == "home.a")
    assert np.array_equal(weeks.medians[2], mine["median"].to_numpy().astype(np.float32))
    assert np.array_equal(weeks.spreads[2], mine["spread"].to_numpy().astype(np.float32))
    assert np.isnan(weeks.medians[1]).all()
    assert np.flatnonzero(np.isnan(weeks.medians[0])).tolist() == [3]


def test_only_the_newest_versions_stay(lake: Lake) -> None:
    run(lake, VERSION)
    row = stored(lake, VERSION).head(1)
    days = [VERSION + timedelta(days=day) for day in range(1, baselines.KEPT + 1)]
    lake.append(BASELINES, pl.concat([row.with_columns(version=pl.lit(day)) for day in days]), None)

    told = run(lake, days[-1])

    versions = lake.scan(BASELINES).select(pl.col("version").unique().sort()).collect()
    assert versions["version"].to_list() == days
    assert VERSION.isoformat() in str(told["dropped"])
