"""Curves of growth: which points are asked for, and tables that are older than a day."""

import argparse
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from benchmarks.growth import points
from benchmarks.older_days import grow_old
from spark_jobs.lake import Lake
from telemetry.tables import MESSAGES, READINGS

TODAY = date(2026, 11, 21)


def test_points_of_a_curve_are_numbers_that_it_can_have() -> None:
    assert points("devices=1000,100000") == ("devices", (1000, 100_000))
    assert points("late_percent=0,5,20") == ("late_percent", (0, 5, 20))
    for wrong in ("device=1", "devices", "devices=", "devices=1,x", "cores=0", "late_percent=30"):
        with pytest.raises(argparse.ArgumentTypeError):
            points(wrong)


def test_a_table_that_is_older_has_a_file_for_each_day_before(tmp_path: Path) -> None:
    grow_old(str(tmp_path / "new"), 1, TODAY)
    assert not (tmp_path / "new").exists(), "there is no day before"

    grow_old(str(tmp_path / "old"), 40, TODAY)

    lake = Lake(str(tmp_path / "old"))
    for table, dated in ((MESSAGES, "received_date"), (READINGS, "event_date")):
        days = pl.scan_delta(lake.uri(table)).group_by(dated).len().collect()
        assert days[dated].n_unique() == lake.files(table).height == 39
        assert days[dated].max() == date(2026, 11, 20)
        assert days["len"].n_unique() == 1
    keys = pl.scan_delta(lake.uri(READINGS)).select("device_full", "seq", "metric").collect()
    assert keys.is_unique().all()
    assert lake.scan(MESSAGES).select("offset").collect()["offset"].is_unique().all()
