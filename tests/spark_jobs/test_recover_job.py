"""The job `recover` over checkpoints that need neither Spark nor a broker."""

from argparse import Namespace
from pathlib import Path

import pytest

from spark_jobs.gold_state import GoldFiles, OwnedError
from spark_jobs.jobs import recover
from spark_jobs.lake import Lake
from spark_jobs.noted_topic import noted_topic
from telemetry.settings import Settings
from telemetry.tables import JOB_RUNS, LATE, READINGS
from tests.spark_jobs.checkpoints import gold_checkpoint, landing_checkpoint
from tests.spark_jobs.empty_lakes import create_all
from tests.spark_jobs.gold_fleet import fleet
from tests.spark_jobs.silver_rows import silver


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(home=tmp_path, kafka="127.0.0.1:1")
    create_all(Lake(made.lake_root))
    return made


def recovered(settings: Settings, stream: str, *, dry_run: bool = False) -> dict[str, object]:
    arguments = Namespace(stream=stream, dry_run=dry_run, accept_loss=False)
    return recover.run(arguments, settings, Lake(settings.lake_root))


def asides(settings: Settings, stream: str) -> list[Path]:
    return list(settings.checkpoint_dir.glob(f"{stream}.broken-*"))


def test_gold_is_set_aside_whole_and_the_run_is_recorded(settings: Settings) -> None:
    lake = Lake(settings.lake_root)
    for table, versions in ((READINGS, 6), (LATE, 2)):
        for _ in range(versions):
            lake.append(table, silver(fleet(seed=1, messages=1), table), None)
    readings, late = (str(lake.table(table).metadata().id) for table in (READINGS, LATE))
    folder = gold_checkpoint(settings.checkpoint_dir / "gold", 3, ids=(readings, late))
    assert recovered(settings, "gold")["found"] == "the checkpoint is sound"
    assert not asides(settings, "gold")
    (folder / "offsets" / "2").write_bytes(b"")
    assert "CHECKPOINT_FILE_EMPTY" in str(recovered(settings, "gold", dry_run=True)["found"])
    assert folder.exists()
    recovered(settings, "gold")
    (aside,) = asides(settings, "gold")
    assert (aside / "gold.json").exists()
    assert not folder.exists(), "gold makes itself again from silver"
    runs = Lake(settings.lake_root).scan(JOB_RUNS).collect()
    assert runs.filter(job="recover")["success"].to_list() == [True, True]


def test_gold_that_has_read_more_than_silver_holds_is_set_aside(settings: Settings) -> None:
    gold_checkpoint(settings.checkpoint_dir / "gold", 3)

    assert "[LAKE_OLDER]" in str(recovered(settings, "gold")["found"])

    assert asides(settings, "gold")
    assert recovered(settings, "gold")["found"] == "there is no checkpoint"


def test_gold_that_another_process_writes_is_left_alone(settings: Settings) -> None:
    folder = gold_checkpoint(settings.checkpoint_dir / "gold", 3)
    (folder / "gold.json").unlink()
    with GoldFiles(folder).owned(), pytest.raises(OwnedError):
        recovered(settings, "gold")
    assert folder.exists()


def test_landing_gets_another_id_even_while_the_broker_is_away(settings: Settings) -> None:
    folder = landing_checkpoint(settings.checkpoint_dir / "landing", 3)
    before = (folder / "headwater-id").read_text()
    (folder / "offsets" / "1").unlink()
    assert "CHECKPOINT_GAP" in str(recovered(settings, "landing")["found"])
    assert (folder / "headwater-id").read_text() != before
    (aside,) = asides(settings, "landing")
    assert (aside / "headwater-id").read_text() == before
    assert noted_topic(folder) == noted_topic(aside), "the topic may be another one by then"


def test_spool_without_a_checkpoint_needs_nothing(settings: Settings) -> None:
    assert recovered(settings, "landing_spool")["found"] == "there is no checkpoint"
    assert not asides(settings, "landing_spool")
