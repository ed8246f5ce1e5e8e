"""A table of silver that was lost or set aside, and made anew: who reads it says so, and how on."""

import shutil
from argparse import Namespace
from pathlib import Path

import polars as pl
import pytest

from edge.rule_files import RuleFiles
from spark_jobs.gold_state import Position
from spark_jobs.jobs import recover
from spark_jobs.jobs.gold import Gold
from spark_jobs.jobs.job_runs import Days
from spark_jobs.jobs.older_lake import gold_has_lost_its_place, gold_is_ahead
from spark_jobs.jobs.restating import whole_days
from spark_jobs.jobs.scoring import Scoring
from spark_jobs.jobs.scoring_query import TableAlone
from spark_jobs.lake import Lake
from spark_jobs.refusal import RefusalError
from spark_jobs.restatements import Mark, Restatements, Versions
from spark_jobs.scoring_state import ScoringState
from telemetry.rules.form import rule_from_dict
from telemetry.rules.rule import VersionedRule
from telemetry.settings import Settings
from telemetry.tables import DEVICE_MINUTE, LATE, READINGS, SESSIONS, Table
from tests.spark_jobs.checkpoints import gold_checkpoint, landing_checkpoint, offsets_log, put
from tests.spark_jobs.gold_fleet import NOON, fleet
from tests.spark_jobs.landing_fleet import landed
from tests.spark_jobs.replay_home import DAY, copied, run
from tests.spark_jobs.silver_rows import silver

HOT = {"rule": "hot", "metric": "t", "check": {"kind": "threshold", "bound": 90}}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(Settings(home=tmp_path).lake_root)
    made.create_all()
    return made


def grow(lake: Lake, table: Table, versions: int) -> None:
    for _ in range(versions):
        lake.append(table, silver(fleet(seed=1, messages=1), table), None)


def make_anew(lake: Lake) -> Lake:
    """Lose the readings, and return the lake with a table that has none."""
    shutil.rmtree(lake.uri(READINGS))
    anew = Lake(lake.root)
    anew.create_all()
    return anew


def table_id(lake: Lake, table: Table) -> str:
    return str(lake.table(table).metadata().id)


def test_gold_does_not_go_on_in_another_table_that_has_grown_as_far(
    tmp_path: Path, lake: Lake
) -> None:
    settings = Settings(home=tmp_path)
    ids = table_id(lake, READINGS), table_id(lake, LATE)
    gold_checkpoint(settings.checkpoint_dir / "gold", 3, ids=ids)
    for table in (READINGS, LATE):
        grow(lake, table, 8)
    assert gold_has_lost_its_place(settings, lake) is None

    anew = make_anew(lake)
    grow(anew, READINGS, 9)

    assert gold_is_ahead(settings, anew) is None, "by its versions alone it could go on"
    damage = gold_has_lost_its_place(settings, anew)
    assert damage is not None
    assert damage.code == "SILVER_LOG_GONE"
    assert "silver.readings is another table" in damage.said


def test_marks_in_the_table_that_is_gone_are_over_once_gold_is_made_anew(
    tmp_path: Path, lake: Lake
) -> None:
    grow(lake, READINGS, 8)
    windows, at = whole_days([Days(NOON.date(), NOON.date())]), NOON
    Restatements(lake).mark(windows, Mark("old", "dedup", at, Versions(8)))

    anew = make_anew(lake)
    grow(anew, READINGS, 2)
    Restatements(anew).mark(windows, Mark("new", "dedup", at, Versions(2)))
    Gold(anew, Settings(home=tmp_path)).prepare()

    assert Restatements(anew).marks()["mark_id"].to_list() == ["new"]


def test_rules_begin_anew_in_another_table_that_has_grown_as_far(
    tmp_path: Path, lake: Lake
) -> None:
    settings = Settings(home=tmp_path)
    RuleFiles(settings.registry_dir).put(VersionedRule(rule_from_dict(HOT), 1, is_on=True))
    scoring = Scoring(lake, settings, TableAlone())
    scoring.prepare()
    scoring.state = ScoringState(scoring.state.app_id, 0, Position(3))
    scoring.save()
    checkpoint = settings.checkpoint_dir / "scoring"
    grow(lake, READINGS, 4)
    delta = {"sourceVersion": 1, "index": -1, "isStartingVersion": False, "reservoirVersion": 3}
    put(checkpoint / "metadata", '{"id":"1"}')
    offset = {**delta, "reservoirId": table_id(lake, READINGS)}
    put(checkpoint / "offsets" / "0", offsets_log(offset))
    put(checkpoint / "commits" / "0", 'v1\n{"nextBatchWatermarkMs":0}')
    same = Scoring(lake, settings, TableAlone())
    same.prepare()
    assert same.state.readings == Position(3)

    anew = make_anew(lake)
    grow(anew, READINGS, 6)
    other = Scoring(anew, settings, TableAlone())
    other.prepare()

    assert other.state.readings.version == anew.table(READINGS).version()
    assert not (checkpoint / "offsets").exists()


def test_rules_begin_anew_behind_files_of_another_stream(tmp_path: Path, lake: Lake) -> None:
    settings = Settings(home=tmp_path)
    RuleFiles(settings.registry_dir).put(VersionedRule(rule_from_dict(HOT), 1, is_on=True))
    scoring = Scoring(lake, settings, TableAlone())
    scoring.prepare()
    scoring.save()
    checkpoint = landing_checkpoint(settings.checkpoint_dir / "scoring", 2)

    scoring.prepare()

    assert not (checkpoint / "offsets").exists()
    assert scoring.state.readings.version == lake.table(READINGS).version() + 1


@pytest.mark.spark
def test_readings_that_were_lost_are_built_again_from_bronze(
    replay_home: Settings, tmp_path: Path
) -> None:
    settings = copied(replay_home, tmp_path / "home")
    before = landed(Lake(settings.lake_root))
    windows = {table: _rows(Lake(settings.lake_root), table) for table in (DEVICE_MINUTE, SESSIONS)}
    anew = make_anew(Lake(settings.lake_root))
    with pytest.raises(RefusalError, match=r"LAKE_OLDER.*headwater job recover gold"):
        run(settings, *DAY, "--in-place")

    asked = Namespace(stream="gold", dry_run=False, accept_loss=False)
    recover.run(asked, settings, anew)
    result = run(settings, *DAY, "--in-place")
    Gold(Lake(settings.lake_root), settings).prepare()

    assert result["ok"]
    assert landed(Lake(settings.lake_root)) == before
    for table, rows in windows.items():
        assert _rows(Lake(settings.lake_root), table).equals(rows)
    assert run(settings, *DAY)["differences"] == {}


def _rows(lake: Lake, table: Table) -> pl.DataFrame:
    keys = lake.scan(table).select(*table.key, "count").collect()
    return keys.sort(table.key)
