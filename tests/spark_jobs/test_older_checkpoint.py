"""An older copy of a checkpoint is known by batches of it that the tables have."""

from argparse import Namespace
from pathlib import Path

import pytest

from spark_jobs.checkpoint import APP_ID, has_batches
from spark_jobs.commit_info import Txn
from spark_jobs.gold_state import Position
from spark_jobs.jobs import recover
from spark_jobs.jobs.gold import Gold
from spark_jobs.jobs.older_checkpoint import gold_is_behind, landing_is_behind
from spark_jobs.jobs.scoring import Scoring
from spark_jobs.lake import Lake
from spark_jobs.refusal import CheckpointError
from spark_jobs.scoring_state import ScoringState
from telemetry.settings import Settings
from telemetry.tables import (
    ANOMALIES,
    DEVICE_MINUTE,
    LATE,
    MESSAGES,
    READINGS,
    SESSIONS,
    Table,
)
from tests.spark_jobs.checkpoints import flip, gold_checkpoint, landing_checkpoint
from tests.spark_jobs.empty_lakes import create_all
from tests.spark_jobs.test_scoring import Heard

PLANNED = 2
"""The newest batch of the checkpoints here."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(home=tmp_path)
    create_all(Lake(made.lake_root))
    return made


def commit(settings: Settings, table: Table, app_id: str, batch: int) -> None:
    """Commit a batch without rows to a table."""
    lake = Lake(settings.lake_root)
    lake.replace(table, lake.scan(table).collect(), None, Txn(app_id, batch))


@pytest.mark.parametrize("stream", ["landing", "landing_spool"])
def test_checkpoint_of_landing_is_older_where_bronze_has_a_later_batch(
    settings: Settings, stream: str
) -> None:
    folder = landing_checkpoint(settings.checkpoint_dir / stream, PLANNED + 1)
    app_id = f"{stream}/{(folder / APP_ID).read_text()}"
    commit(settings, MESSAGES, app_id, PLANNED)
    assert landing_is_behind(settings, Lake(settings.lake_root), stream) is None

    commit(settings, MESSAGES, app_id, PLANNED + 1)
    found = landing_is_behind(settings, Lake(settings.lake_root), stream)

    assert found is not None
    assert found.code == "CHECKPOINT_OLDER"
    assert "has its batch 3, and the newest that it planned is 2" in found.said


def test_landing_that_never_began_is_not_older(settings: Settings) -> None:
    assert landing_is_behind(settings, Lake(settings.lake_root), "landing") is None
    assert gold_is_behind(settings, Lake(settings.lake_root)) is None


def test_older_copy_of_golds_checkpoint_is_refused_and_set_aside(settings: Settings) -> None:
    folder = gold_checkpoint(settings.checkpoint_dir / "gold", PLANNED + 1)
    commit(settings, DEVICE_MINUTE, "gold/7", PLANNED)
    assert gold_is_behind(settings, Lake(settings.lake_root)) is None
    commit(settings, SESSIONS, "gold/7", PLANNED + 1)

    with pytest.raises(CheckpointError, match=r"\[CHECKPOINT_OLDER\].*job recover gold"):
        Gold(Lake(settings.lake_root), settings).prepare()
    asked = Namespace(stream="gold", dry_run=False, accept_loss=False)
    told = recover.run(asked, settings, Lake(settings.lake_root))

    assert "[CHECKPOINT_OLDER]" in str(told["found"])
    assert not folder.exists()
    Gold(Lake(settings.lake_root), settings).prepare()


def plan(folder: Path, batches: int, lake: Lake) -> Path:
    """Write what Spark does of batches, but no memory of ours."""
    readings, late = (str(lake.table(table).metadata().id) for table in (READINGS, LATE))
    gold_checkpoint(folder, batches, ids=(readings, late))
    (folder / "gold.json").unlink()
    return folder


@pytest.mark.parametrize("fate", ["empty", "altered", "gap", "metadata", "older"])
def test_scoring_over_damaged_batches_goes_on_behind_what_it_has_seen(
    settings: Settings, fate: str
) -> None:
    lake = Lake(settings.lake_root)
    before = Scoring(lake, settings, Heard())
    before.state = ScoringState("scoring/before", 3, Position(0))
    before.save()
    folder = plan(settings.checkpoint_dir / "scoring", 3 if fate == "older" else 4, lake)
    newest = folder / "offsets" / "3"
    if fate == "empty":
        newest.write_text("")
    elif fate == "altered":
        flip(newest, 3)
    elif fate == "gap":
        (folder / "offsets" / "2").unlink()
    elif fate == "metadata":
        (folder / "metadata").unlink()

    after = Scoring(lake, settings, Heard())
    after.prepare()

    assert not has_batches(folder)
    assert after.state.app_id != "scoring/before"
    assert (after.state.batch_id, after.state.readings) == (-1, Position(0))


def test_scoring_over_sound_batches_goes_on_with_them(settings: Settings) -> None:
    lake = Lake(settings.lake_root)
    before = Scoring(lake, settings, Heard())
    before.state = ScoringState("scoring/before", 2, Position(0))
    before.save()
    folder = plan(settings.checkpoint_dir / "scoring", 4, lake)

    after = Scoring(lake, settings, Heard())
    after.prepare()

    assert has_batches(folder)
    assert (after.state.app_id, after.state.batch_id) == ("scoring/before", 2)


def test_scoring_over_an_older_checkpoint_goes_on_under_another_name(settings: Settings) -> None:
    first = Scoring(Lake(settings.lake_root), settings, Heard())
    first.prepare()
    first.save()
    plan(settings.checkpoint_dir / "scoring", 1, Lake(settings.lake_root))

    def name() -> str:
        again = Scoring(Lake(settings.lake_root), settings, Heard())
        again.prepare()
        return again.state.app_id

    commit(settings, ANOMALIES, first.state.app_id, 0)
    assert name() == first.state.app_id
    commit(settings, ANOMALIES, first.state.app_id, 1)
    assert name() != first.state.app_id
