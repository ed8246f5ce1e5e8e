"""Replays of days whose rows retention has dropped from silver, and of records that bronze lost."""

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from edge.registry_files import RegistryFiles
from spark_jobs.jobs.replay_expired import Expired
from spark_jobs.jobs.replay_job import Asked, replay
from spark_jobs.jobs.replay_orphans import orphans, refuse_orphans
from spark_jobs.jobs.replay_rejected import Wanted, replay_rejected
from spark_jobs.lake import Lake
from spark_jobs.transforms.spans import days
from telemetry.devices import Device
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from telemetry.tables import DELIVERY_DELAY, DEVICE_MINUTE, READINGS, REJECTED
from tests.spark_jobs.gold_fleet import fleet
from tests.spark_jobs.replay_home import copied, damage
from tests.spark_jobs.silver_rows import silver

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = days(NOON.date(), NOON.date())
EXPIRING = pl.col("retention_class") == "default"
LAST, OVER = (datetime.combine(date(2027, 2, day), NOON.timetz()) for day in (19, 20))
"""The last moment of a day's retention, and one behind it."""


def at(*offsets: int) -> pl.LazyFrame:
    """Return rows of records, one received each second after noon."""
    rows = {
        "topic": "telemetry",
        "partition": pl.Series([0] * len(offsets), dtype=pl.Int64),
        "offset": offsets,
        "received_at": [NOON.replace(second=offset) for offset in offsets],
    }
    return pl.LazyFrame(rows, schema_overrides={"received_at": pl.Datetime("us", "UTC")})


def test_records_that_bronze_lost_are_counted_once_with_their_range() -> None:
    found = orphans(at(1, 4), [at(1, 2, 2, 3), at(3), at(4)])

    assert found.drop("since", "until").rows() == [("telemetry", 0, 2, 2, 3)]
    said = (
        "2 records, received 2026-11-21T12:00:02Z to 2026-11-21T12:00:03Z, that bronze.messages"
        " has lost .telemetry/0 offsets 2 to 3.*--drop-orphans"
    )
    with pytest.raises(HeadwaterError, match=said):
        refuse_orphans(found)
    refuse_orphans(orphans(at(1, 2), [at(2), at(1)]))


@pytest.mark.spark
def test_rows_that_retention_has_dropped_are_left_out(
    replay_home: Settings, tmp_path: Path
) -> None:
    settings = copied(replay_home, tmp_path / "home")
    lake = Lake(settings.lake_root)
    count = damage(settings, READINGS, EXPIRING)
    windows = damage(settings, DEVICE_MINUTE, EXPIRING)

    before = replay(settings, lake, Asked(DAY), LAST)
    after = replay(settings, lake, Asked(DAY, in_place=True), OVER)

    assert isinstance(listed := before["differences"], dict)
    assert (listed[READINGS.name], listed[DEVICE_MINUTE.name]) == (count, windows)
    assert isinstance(expired := after["expired"], dict)
    assert (before["expired"], after["differences"]) == ({}, {})
    assert expired[READINGS.name] == count
    assert lake.scan(READINGS).filter(EXPIRING).collect().is_empty()
    for result, is_compared in ((before, True), (after, False)):
        assert isinstance(compared := result["compared"], dict)
        assert (DELIVERY_DELAY.name in compared) == is_compared


def test_history_expires_by_when_it_came(tmp_path: Path) -> None:
    lake, beside = Lake(str(tmp_path / "main")), Lake(str(tmp_path / "beside"))
    old = fleet(seed=1, messages=20).with_columns(pl.col("event_time").dt.offset_by("-22y"))
    for each in (lake, beside):
        each.create(READINGS)
        each.append(READINGS, silver(old, READINGS), None)
    expired, usual = Expired(lake, NOON.date()), old.filter(EXPIRING).height

    kept = expired.kept(READINGS, beside.scan(READINGS), beside).collect()

    assert 0 < usual < old.height
    assert expired.rows(READINGS, beside) == usual
    assert set(kept["retention_class"]) == {"history"}
    assert kept.height == old.height - usual


@pytest.mark.spark
def test_rejected_messages_of_days_that_retention_has_dropped_stay_rejected(
    replay_home: Settings, tmp_path: Path
) -> None:
    settings = copied(replay_home, tmp_path / "home")
    lake = Lake(settings.lake_root)
    RegistryFiles(settings.registry_dir).enrol([Device("meter.stranger")])
    held = lake.scan(READINGS).select(pl.len()).collect().item()

    left = replay_rejected(settings, lake, OVER, Wanted("unknown_device"))

    assert left["expired"], "the stranger sent something that passes"
    assert (left["taken_up"], left["landed"]) == (0, {})
    assert lake.scan(READINGS).select(pl.len()).collect().item() == held
    stamped = lake.scan(REJECTED).filter(pl.col("replayed_at").is_not_null())
    assert stamped.collect().is_empty()
    taken = replay_rejected(settings, lake, LAST, Wanted("unknown_device"))
    assert (taken["taken_up"], taken["expired"]) == (left["expired"], 0)
    # A run that was killed before it stamped what it had landed ends what it began.
    lake.replace(REJECTED, _unstamped(lake), None, None)
    again = replay_rejected(settings, lake, OVER, Wanted("unknown_device"))
    assert (again["taken_up"], again["expired"]) == (left["expired"], 0)


def _unstamped(lake: Lake) -> pl.DataFrame:
    never = pl.lit(None, pl.Datetime("us", "UTC"))
    return lake.scan(REJECTED).with_columns(replayed_at=never).collect()
