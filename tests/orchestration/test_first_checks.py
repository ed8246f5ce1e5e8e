"""A new lake is held to its suites once, as soon as gold has rows."""

from pathlib import Path

import dagster as dg
import polars as pl
from deltalake import DeltaTable

from orchestration.first_checks import first_checks_sensor
from telemetry.settings import Settings
from telemetry.tables import DEVICE_WINDOWS, QUALITY, Table

MINUTE = next(iter(DEVICE_WINDOWS.values()))
ROW = pl.DataFrame({"metric": ["temperature"]})


def uri(settings: Settings, table: Table) -> Path:
    """Return where a table of the lake is."""
    return settings.home / "lake" / table.name.replace(".", "/")


def looks(settings: Settings, cursor: str | None = None) -> tuple[bool, str | None]:
    """Say whether the sensor starts a run, and where it stands."""
    found = first_checks_sensor(settings)(dg.build_sensor_context(cursor=cursor))
    assert isinstance(found, dg.SensorResult)
    return bool(found.run_requests), found.cursor


def test_the_first_row_of_gold_starts_the_first_run_and_no_other(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert looks(settings) == (False, None)
    for table in (MINUTE, QUALITY):
        DeltaTable.create(str(uri(settings, table)), ROW.to_arrow().schema)
    assert looks(settings) == (False, None)

    ROW.write_delta(uri(settings, MINUTE), mode="append")

    is_started, cursor = looks(settings)
    assert is_started
    assert looks(settings, cursor) == (False, cursor)


def test_a_lake_that_was_held_to_its_suites_is_left_to_the_schedule(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    for table in (MINUTE, QUALITY):
        ROW.write_delta(uri(settings, table))

    assert looks(settings)[0] is False
