"""Files that were replaced are gone an hour later: fleets that change and marks fill no disk."""

import os
import re
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from edge.registry_files import RegistryFiles
from spark_jobs.jobs.gold import Gold
from spark_jobs.jobs.landing_logs import LandingLogs
from spark_jobs.jobs.live_registry import LiveRegistry
from spark_jobs.lake import Lake
from spark_jobs.pins import Pins
from spark_jobs.restatements import LATE_ROWS, Mark, Restatements, Versions
from spark_jobs.transforms.marks import of_rows
from telemetry.devices import Device
from telemetry.settings import Settings
from telemetry.tables import DEVICES, RESTATEMENTS, Table
from tests.spark_jobs.empty_lakes import create_all
from tests.spark_jobs.gold_fleet import fleet
from tests.spark_jobs.test_pins import files_of

CHANGES = 5


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(home=tmp_path)
    create_all(Lake(made.lake_root))
    return made


def long_ago(lake: Lake, table: Table) -> None:
    """Make all that was replaced so far look as if that was long ago."""
    for path in Path(lake.uri(table), "_delta_log").glob("*.json"):
        text = re.sub(r'"deletionTimestamp":\d+', '"deletionTimestamp":1', path.read_text())
        path.write_text(text)
    for path in Path(lake.uri(table)).rglob("*.parquet"):
        os.utime(path, (1, 1))


def change(settings: Settings) -> None:
    """Have one device change its firmware some times, as landing hears of it."""
    files, lake = RegistryFiles(settings.registry_dir), Lake(settings.lake_root)
    live = LiveRegistry(RegistryFiles(settings.registry_dir), lake)
    for number in range(CHANGES):
        files.enrol([Device("meter.d1", firmware=f"{number}")])
        live.refresh()


def test_what_changes_of_devices_replaced_does_not_wait_for_the_night(settings: Settings) -> None:
    change(settings)
    lake = Lake(settings.lake_root)
    before = lake.scan(DEVICES).collect()
    logs = LandingLogs(settings, lake, every_s=0)
    logs.trim_if_due()
    assert files_of(lake, DEVICES) == CHANGES, "somebody may still read them"

    long_ago(lake, DEVICES)
    with Pins(settings).held({DEVICES.name: 0}):
        LandingLogs(settings, Lake(settings.lake_root), every_s=0).trim_if_due()
        assert files_of(lake, DEVICES) == CHANGES
    LandingLogs(settings, Lake(settings.lake_root), every_s=0).trim_if_due()

    assert files_of(lake, DEVICES) == 1
    assert Lake(settings.lake_root).scan(DEVICES).collect().equals(before)


def test_marks_that_gold_has_taken_up_do_not_wait_for_the_night(settings: Settings) -> None:
    lake = Lake(settings.lake_root)
    Gold(lake, settings).prepare()
    marks, windows = Restatements(lake), of_rows(fleet(seed=1, messages=5))
    for number in range(CHANGES):
        mark = Mark(f"{number}", LATE_ROWS, datetime.now(UTC), Versions(late=number))
        marks.mark(windows, mark)
    marks.clear(marks.marks().filter(pl.col("mark_id") != "0"))
    kept = lake.scan(RESTATEMENTS).collect()
    long_ago(lake, RESTATEMENTS)

    Gold(Lake(settings.lake_root), settings).tidy()

    assert files_of(lake, RESTATEMENTS) == 1
    assert Lake(settings.lake_root).scan(RESTATEMENTS).collect().equals(kept)


@pytest.mark.parametrize("table", [DEVICES, RESTATEMENTS], ids=lambda table: table.name)
def test_an_hour_of_versions_is_kept_of_what_is_rewritten_all_the_time(
    settings: Settings, table: Table
) -> None:
    said = Lake(settings.lake_root).table(table).metadata().configuration
    spans = {name: said[f"delta.{name}RetentionDuration"] for name in ("log", "deletedFile")}
    assert set(spans.values()) == {"interval 1 hours"}
