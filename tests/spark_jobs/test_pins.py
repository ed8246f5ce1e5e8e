"""What is read of a table's log stays while it is read; a stream whose place is gone says so."""

import json
import os
import re
import time
from argparse import Namespace
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from spark_jobs.gold_state import GoldFiles, GoldState, Position
from spark_jobs.jobs import recover, vacuum
from spark_jobs.jobs.gold import Gold
from spark_jobs.jobs.landing_logs import LandingLogs
from spark_jobs.jobs.older_lake import gold_has_lost_its_place
from spark_jobs.jobs.replay_job import Asked, replay
from spark_jobs.lake import Lake
from spark_jobs.log_files import trim
from spark_jobs.pins import Pins
from spark_jobs.refusal import CheckpointError
from spark_jobs.transforms.spans import days
from telemetry.settings import Settings
from telemetry.tables import DEVICE_MINUTE, LATE, MESSAGES, READINGS, Table
from tests.spark_jobs.empty_lakes import create_all
from tests.spark_jobs.gold_fleet import fleet
from tests.spark_jobs.replay_home import copied
from tests.spark_jobs.silver_rows import silver

VERSIONS = 60
"""Of which 49 has a checkpoint."""
DAY = date(2026, 11, 21)
ROWS = silver(fleet(seed=1, messages=1), READINGS)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(home=tmp_path)
    lake = Lake(made.lake_root)
    create_all(lake)
    grow(lake, VERSIONS)
    wait_for_checkpoint(lake)
    return made


def wait_for_checkpoint(lake: Lake) -> None:
    """It is made beside; versions before it can be trimmed once it is there."""
    until = time.monotonic() + 60
    while not (log_of(lake) / "00000000000000000049.checkpoint.parquet").exists():
        assert time.monotonic() < until
        time.sleep(0.02)


def log_of(lake: Lake) -> Path:
    return Path(lake.uri(READINGS), "_delta_log")


def grow(lake: Lake, versions: int) -> None:
    for _ in range(versions):
        lake.append(READINGS, ROWS, None)


def first_version(lake: Lake) -> int:
    return min(int(path.stem) for path in log_of(lake).glob("*.json"))


def test_what_a_job_reads_stays_until_it_ends(settings: Settings) -> None:
    lake = Lake(settings.lake_root)
    logs = LandingLogs(settings, lake, kept=5)
    with Pins(settings).held({READINGS.name: 40, LATE.name: 0}):
        logs.trim()
        assert first_version(lake) == 0
    logs.trim()
    assert first_version(lake) == 49


def test_a_job_that_was_killed_holds_nothing(settings: Settings) -> None:
    lake, folder = Lake(settings.lake_root), settings.checkpoint_dir / "pins"
    folder.mkdir(parents=True)
    (folder / "killed.json").write_text(json.dumps({READINGS.name: 40}))
    LandingLogs(settings, lake, kept=5).trim()
    assert first_version(lake) == 49
    assert not list(folder.iterdir())


def rewrite(lake: Lake, table: Table) -> None:
    """Put a table's rows in place of themselves, as if that was long ago."""
    lake.replace(table, lake.scan(table).collect(), None, None)
    for path in Path(lake.uri(table), "_delta_log").glob("*.json"):
        path.write_text(
            re.sub(r'"deletionTimestamp":\d+', '"deletionTimestamp":1', path.read_text())
        )
    for path in Path(lake.uri(table)).rglob("*.parquet"):
        os.utime(path, (1, 1))


def files_of(lake: Lake, table: Table) -> int:
    return sum(1 for path in Path(lake.uri(table)).rglob("*.parquet") if "_delta" not in str(path))


def test_files_of_gold_that_a_job_reads_stay_until_it_ends(settings: Settings) -> None:
    lake = Lake(settings.lake_root)
    Gold(lake, settings).prepare()
    before, version = files_of(lake, DEVICE_MINUTE), lake.table(DEVICE_MINUTE).version()
    rewrite(lake, DEVICE_MINUTE)
    asked = Namespace(hours=None, dry_run=False)
    with Pins(settings).held({DEVICE_MINUTE.name: version}):
        Gold(Lake(settings.lake_root), settings).tidy()
        assert vacuum.run(asked, settings, Lake(settings.lake_root))["left"] == [DEVICE_MINUTE.name]
        assert files_of(lake, DEVICE_MINUTE) == before + 1
    Gold(Lake(settings.lake_root), settings).tidy()
    assert files_of(lake, DEVICE_MINUTE) == before


class BusyLake(Lake):
    """Landing and gold go on, and shorten their logs, once a table is read."""

    def __init__(self, settings: Settings, busy_at: Table) -> None:
        super().__init__(settings.lake_root)
        self.settings, self.busy_at, self.is_landed = settings, busy_at, False

    def scan_at(self, table: Table, version: int) -> pl.LazyFrame:
        if table == self.busy_at and not self.is_landed:
            self.is_landed = True
            other = Lake(self.root)
            grow(other, 110)
            self._let_gold_follow(other.table(READINGS).version())
            LandingLogs(self.settings, other, kept=5, margin=0).trim()
        return super().scan_at(table, version)

    def _let_gold_rewrite(self, other: Lake) -> None:
        """Rewrite gold, and forget what it was, as within an hour or two."""
        rewrite(other, DEVICE_MINUTE)
        Gold(Lake(self.root), self.settings).tidy()
        newest = DeltaTable(self.uri(DEVICE_MINUTE))
        newest.create_checkpoint()
        trim(newest, newest.version())

    def _let_gold_follow(self, version: int) -> None:
        files = GoldFiles(self.settings.checkpoint_dir / "gold")
        if state := files.state():
            files.save(replace(state, readings=Position(version)))
            self._let_gold_rewrite(Lake(self.root))


def test_gold_made_from_all_of_silver_can_go_on_though_landing_does(settings: Settings) -> None:
    lake = BusyLake(settings, READINGS)

    Gold(lake, settings).prepare()

    assert lake.is_landed
    assert lake.scan(DEVICE_MINUTE).collect()["count"].max() == VERSIONS - 1
    state = GoldFiles(settings.checkpoint_dir / "gold").state()
    assert state is not None
    assert state.readings == Position(VERSIONS)
    assert gold_has_lost_its_place(settings, lake) is None


@pytest.mark.spark
def test_a_replay_ends_with_what_it_began_with_though_landing_goes_on(
    replay_home: Settings, tmp_path: Path
) -> None:
    settings = copied(replay_home, tmp_path / "replayed")
    lake = BusyLake(settings, MESSAGES)

    result = replay(settings, lake, Asked(days(DAY, DAY)), datetime(2026, 11, 22, tzinfo=UTC))

    assert lake.is_landed
    assert first_version(lake) < lake.table(READINGS).version() - 60
    assert (result["ok"], result["gold"]) == (True, "compared")
    assert not list((settings.checkpoint_dir / "pins").iterdir())


def test_gold_whose_place_is_gone_from_the_log_is_refused_and_made_anew(
    settings: Settings,
) -> None:
    lake = Lake(settings.lake_root)
    state = GoldState("gold/1", readings=Position(40), late=Position(1))
    GoldFiles(settings.checkpoint_dir / "gold").save(state)
    assert gold_has_lost_its_place(settings, lake) is None
    trim(lake.table(READINGS), 55)

    with pytest.raises(CheckpointError, match=r"\[SILVER_LOG_GONE\].*version 40.*recover gold"):
        Gold(lake, settings).prepare()
    asked = Namespace(stream="gold", dry_run=False, accept_loss=False)
    assert "[SILVER_LOG_GONE]" in str(recover.run(asked, settings, lake)["found"])

    Gold(lake, settings).prepare()
    assert lake.scan(DEVICE_MINUTE).collect().height
