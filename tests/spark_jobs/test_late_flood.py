"""Rows ten times later than their lateness: gold is the truth, and other windows are left alone."""

from datetime import timedelta
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from spark_jobs.jobs.gold_tables import WINDOW_TABLES
from spark_jobs.lake import Lake
from telemetry.tables import DEVICE_SLIDING, DEVICE_WINDOWS, SESSIONS, ZONE_WINDOWS, Table
from tests.spark_jobs.empty_lakes import create_all
from tests.spark_jobs.gold_fleet import grouped, grouped_sessions, grouped_sliding
from tests.spark_jobs.late_flood import TEN_TIMES_LATER, Watched, by_arrival, flood
from tests.spark_jobs.test_gold_tables import assert_same

SHARE = 0.05


def gold(lake: Lake, table: Table) -> pd.DataFrame:
    return lake.scan(table).collect().to_pandas().set_index(list(table.key)).sort_index()


def truth(readings: pl.DataFrame, table: Table) -> pd.DataFrame:
    """Return the table as a group-by over all readings at once."""
    if table == DEVICE_SLIDING:
        return grouped_sliding(readings)
    if table == SESSIONS:
        return grouped_sessions(readings)
    width = table.name.split("_", 1)[1]
    return grouped(readings, table.key[2], width)


def hold(path: Path, readings: pl.DataFrame, every: timedelta) -> Watched:
    """Merge readings as they come, and hold gold against the truth."""
    lake = Lake(str(path))
    create_all(lake)
    watched = Watched(lake)
    late = readings.filter(pl.col("received_at") - pl.col("event_time") > TEN_TIMES_LATER)
    assert late["seq"].n_unique() > readings["seq"].n_unique() * SHARE / 2
    for batch_id, batch in enumerate(by_arrival(readings, every)):
        watched.merge(batch_id, batch)

    assert not watched.untouched
    assert watched.rewritten
    for table in (*DEVICE_WINDOWS.values(), *ZONE_WINDOWS.values(), DEVICE_SLIDING, SESSIONS):
        assert_same(gold(lake, table), truth(readings, table))
    assert set(WINDOW_TABLES) == {
        *DEVICE_WINDOWS.values(), *ZONE_WINDOWS.values(), DEVICE_SLIDING, SESSIONS
    }  # fmt: skip
    return watched


def test_five_percent_come_ten_times_later(tmp_path: Path) -> None:
    hold(tmp_path, flood(seed=1, messages=500, span_s=3600, share=SHARE), timedelta(minutes=3))


@pytest.mark.faults
@pytest.mark.long
@pytest.mark.parametrize("seed", range(2))
def test_five_percent_come_ten_times_later_for_a_day(tmp_path: Path, seed: int) -> None:
    readings = flood(seed, messages=10_000, span_s=86_400, share=SHARE)
    hold(tmp_path, readings, timedelta(minutes=10))
