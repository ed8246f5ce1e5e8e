"""Retention of history: its years count from when it came, since it was old then."""

import argparse
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from spark_jobs.jobs import retention
from spark_jobs.lake import Lake
from telemetry.settings import Settings
from telemetry.tables import READINGS
from tests.spark_jobs.gold_fleet import fleet
from tests.spark_jobs.silver_rows import silver

TODAY = datetime.now(UTC).date()


def dropped(settings: Settings, lake: Lake, *, years: int) -> int:
    """Return the readings that retention drops so many years from now."""
    parser = argparse.ArgumentParser()
    retention.add_arguments(parser)
    today = TODAY + timedelta(days=365 * years)
    before = len(lake.scan(READINGS).collect())
    retention.run(parser.parse_args(["--today", str(today)]), settings, lake)
    return before - len(lake.scan(READINGS).collect())


def test_readings_of_2004_are_kept_ten_years_from_now(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    lake = Lake(settings.lake_root)
    lake.create_all()
    old = fleet(3).with_columns(
        event_time=pl.col("event_time").dt.offset_by("-22y"), retention_class=pl.lit("history")
    )
    lake.append(READINGS, silver(old, READINGS), None)

    assert dropped(settings, lake, years=0) == 0
    assert dropped(settings, lake, years=9) == 0
    assert dropped(settings, lake, years=11) == len(old)
