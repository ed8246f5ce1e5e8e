"""A change of the registry that is dated back: windows wait until all their rows are right."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from edge.registry_files import RegistryFiles
from spark_jobs.jobs.corrections import REASON
from spark_jobs.jobs.live_registry import LiveRegistry
from spark_jobs.lake import Lake
from telemetry.devices import Device
from telemetry.settings import Settings
from telemetry.tables import LATE, READINGS, RESTATEMENTS
from tests.spark_jobs.replay_home import DAY, copied, run

pytestmark = pytest.mark.spark
AT = datetime(2026, 11, 22, tzinfo=UTC)
SINCE = datetime(2026, 11, 21, 7, 50, tzinfo=UTC)
EIGHT, NINE = (("--from", f"2026-11-21T{hour}", "--in-place") for hour in ("08", "09"))


@pytest.fixture
def settings(replay_home: Settings, tmp_path: Path) -> Settings:
    """Return a home in which all meters have moved, as is said a day later."""
    made = copied(replay_home, tmp_path / "home")
    files = RegistryFiles(made.registry_dir)
    registry = LiveRegistry(files, Lake(made.lake_root))
    registry.refresh()
    names = [device.device_full for device in files.devices() if "." in device.device_full]
    others = [device for device in files.devices() if "." not in device.device_full]
    moved = [Device(name, zone="moved", valid_from=SINCE) for name in names]
    files.project([*others, *moved])
    files.drop_enrolled(files.enrolled()[1])
    registry.refresh(AT)
    return made


def marks(settings: Settings) -> pl.DataFrame:
    return Lake(settings.lake_root).scan(RESTATEMENTS).filter(reason=REASON).collect()


def rows_still_wrong(settings: Settings) -> pl.DataFrame:
    lake = Lake(settings.lake_root)
    columns = ["device_full", "zone", "event_time"]
    both = [lake.scan(table).select(columns) for table in (READINGS, LATE)]
    mine = pl.col("device_full").str.contains(".", literal=True) & (pl.col("event_time") >= SINCE)
    return pl.concat(both).filter(mine, pl.col("zone") != "moved").unique().collect()


def is_marked(marked: pl.DataFrame, row: tuple[str, str, datetime]) -> bool:
    name, zone, at = row
    mine = marked.filter(device_full=name, zone=zone)
    return bool(mine.filter(pl.col("window_start") <= at, pl.col("window_end") > at).height)


def test_window_with_readings_of_another_hour_waits_for_that_hour(settings: Settings) -> None:
    assert marks(settings).height

    run(settings, *EIGHT)

    wrong, marked = rows_still_wrong(settings), marks(settings)
    before_nine = wrong.filter(pl.col("event_time") < datetime(2026, 11, 21, 9, tzinfo=UTC))
    assert before_nine.height, "what happened in one hour and was received in the next"
    assert all(is_marked(marked, row) for row in wrong.iter_rows())
    run(settings, *NINE)
    assert rows_still_wrong(settings).is_empty()
    assert marks(settings).is_empty()


def test_rows_that_are_right_already_leave_no_mark_behind(settings: Settings) -> None:
    lake, before = Lake(settings.lake_root), marks(settings)
    run(settings, *DAY, "--in-place")
    assert marks(settings).is_empty()
    lake.append(RESTATEMENTS, before, None)

    assert run(settings, *DAY, "--in-place")["differences"] == {}

    assert marks(settings)["readings_version"].null_count() == 0, "gold may take them up"
