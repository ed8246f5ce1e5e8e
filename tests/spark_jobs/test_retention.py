"""Retention of what is old and still needed: history that came lately, sessions that go on."""

import argparse
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from spark_jobs.gold_state import GoldState, Position
from spark_jobs.jobs import retention
from spark_jobs.jobs.gold_rebuild import Rebuild
from spark_jobs.jobs.partitions import classes_ever
from spark_jobs.lake import Lake
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from telemetry.tables import DEVICE_HOUR, LATE, READINGS, SESSIONS, Table
from tests.spark_jobs.empty_lakes import create_all
from tests.spark_jobs.gold_fleet import fleet
from tests.spark_jobs.silver_rows import silver
from tests.spark_jobs.test_batch_jobs import run
from tests.spark_jobs.test_gold_tables import RULES

TODAY = datetime.now(UTC).date()
METERS = pl.col("product") == "meter"


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
    create_all(lake)
    old = fleet(3).with_columns(
        event_time=pl.col("event_time").dt.offset_by("-22y"), retention_class=pl.lit("history")
    )
    lake.append(READINGS, silver(old, READINGS), None)

    assert dropped(settings, lake, years=0) == 0
    assert dropped(settings, lake, years=9) == 0
    assert dropped(settings, lake, years=11) == len(old)


def test_session_that_goes_on_keeps_its_month(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    lake = Lake(settings.lake_root)
    create_all(lake)
    lake.append(READINGS, silver(fleet(3), READINGS), None)
    Rebuild(lake, RULES, GoldState("gold/x", readings=Position(2))).everything()
    began = lake.scan(SESSIONS).collect()
    ended = datetime(2027, 3, 1, tzinfo=UTC)
    is_first = pl.int_range(pl.len()) == 0
    longer = pl.when(is_first).then(ended).otherwise("window_end").cast(pl.Datetime("us", "UTC"))
    lake.replace(SESSIONS, began.with_columns(window_end=longer), None, None)

    run(retention, settings, "--today", "2027-03-10")
    assert lake.scan(DEVICE_HOUR).filter(METERS).collect().is_empty()
    assert len(lake.scan(SESSIONS).collect()) == len(began)
    run(retention, settings, "--today", "2027-06-10")

    assert lake.scan(SESSIONS).collect().is_empty()


class Torn(Lake):
    """A lake in which a run of retention comes to an end in the middle."""

    def delete(self, table: Table, predicate: str) -> None:
        if table is LATE:
            raise HeadwaterError("cut short")
        super().delete(table, predicate)


def test_run_after_one_that_was_cut_short_tells_of_all_that_went(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    lake = Lake(settings.lake_root)
    create_all(lake)
    old = fleet(3).with_columns(retention_class=pl.lit("30 d"))
    for table in (READINGS, LATE):
        lake.append(table, silver(old, table), None)
    parser = argparse.ArgumentParser()
    retention.add_arguments(parser)
    asked = parser.parse_args(["--today", str(TODAY + timedelta(days=365))])
    with pytest.raises(HeadwaterError, match="cut short"):
        retention.run(asked, settings, Torn(settings.lake_root))
    assert lake.scan(READINGS).collect().is_empty()

    told = retention.run(asked, settings, lake)["tables"]

    assert isinstance(told, dict)
    assert told[READINGS.name]["rows"] == told[LATE.name]["rows"] == len(old)
    assert {one["retention_class"] for one in told[READINGS.name]["partitions"]} == {"30 d"}
    assert "30 d" in classes_ever(lake)
    assert retention.run(asked, settings, lake)["tables"] == {}
