"""A lake that is older than its streams is noticed, and stays noticed while it grows."""

from pathlib import Path

import pytest

from spark_jobs.checkpoint import LAKE_OLDER, OLDER_NOTE, gold_damage
from spark_jobs.checkpoint_files import Damage
from spark_jobs.commit_info import Txn
from spark_jobs.dedup.index import KeyIndex
from spark_jobs.gold_state import GoldFiles, GoldState, Position
from spark_jobs.jobs.gold_tables import TABLES
from spark_jobs.jobs.memory_file import MemoryFile, Saved
from spark_jobs.jobs.older_lake import (
    MEMORY,
    forget_older_lake,
    gold_is_ahead,
    landing_is_ahead,
    refuse_older_lake,
)
from spark_jobs.lake import Lake
from spark_jobs.refusal import CheckpointError
from telemetry.settings import Settings
from telemetry.tables import DEVICE_MINUTE, LATE, MESSAGES, READINGS
from tests.spark_jobs.gold_fleet import fleet
from tests.spark_jobs.silver_rows import silver


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(home=tmp_path)
    lake = Lake(made.lake_root)
    for table in (MESSAGES, READINGS, LATE, *TABLES):
        lake.create(table)
    for stream in ("landing", "landing_spool"):
        offsets = made.checkpoint_dir / stream / "offsets"
        offsets.mkdir(parents=True)
        (offsets / "0").write_text("v1\n{}\n{}")
    return made


def remember(settings: Settings, *landed: tuple[str, int, int]) -> None:
    index = KeyIndex(remembered=10, horizon_us=None).packed()
    MemoryFile(settings.checkpoint_dir / MEMORY).save(Saved(1.0, index, list(landed), []))


def grow(lake: Lake) -> None:
    """Append a version to silver."""
    lake.append(READINGS, silver(fleet(seed=1, messages=2), READINGS), None)


def test_landing_beside_a_lake_that_lacks_what_it_landed_is_ahead(settings: Settings) -> None:
    lake = Lake(settings.lake_root)
    remember(settings, ("telemetry", 0, 41), ("spool", 0, 7))

    of_kafka = landing_is_ahead(settings, lake, "landing")
    of_spool = landing_is_ahead(settings, lake, "landing_spool")

    assert of_kafka is not None
    assert of_kafka.code == LAKE_OLDER
    assert "telemetry/0 was landed up to offset 41" in of_kafka.said
    assert of_spool is not None
    assert "spool/0" in of_spool.said


@pytest.mark.parametrize(
    ("stream", "said"),
    [("landing", "what Kafka still has"), ("landing_spool", "deleted it"), ("gold", "its silver")],
)
def test_refusal_says_what_the_way_out_costs(stream: str, said: str) -> None:
    with pytest.raises(CheckpointError, match=rf"job recover {stream}` goes on .*{said}"):
        refuse_older_lake(stream, Damage(LAKE_OLDER, "bronze has nothing"))


def test_landing_that_remembers_nothing_is_not_ahead(settings: Settings) -> None:
    assert landing_is_ahead(settings, Lake(settings.lake_root), "landing") is None


def test_gold_that_has_read_all_of_silver_is_not_ahead(settings: Settings) -> None:
    lake = Lake(settings.lake_root)
    grow(lake)
    files = GoldFiles(settings.checkpoint_dir / "gold")
    files.save(GoldState("gold/x", readings=Position(2), late=Position(1)))

    assert gold_is_ahead(settings, lake) is None
    assert gold_damage(files.checkpoint) is None


def test_gold_found_ahead_once_is_ahead_though_silver_grows(settings: Settings) -> None:
    lake = Lake(settings.lake_root)
    files = GoldFiles(settings.checkpoint_dir / "gold")
    files.save(GoldState("gold/x", readings=Position(3), late=Position(1)))

    found = gold_is_ahead(settings, lake)
    for _ in range(3):
        grow(lake)

    assert found is not None
    assert found.code == LAKE_OLDER
    forget_older_lake(settings, lake)
    assert gold_damage(files.checkpoint) == found


def test_gold_goes_on_once_the_right_lake_is_back(settings: Settings) -> None:
    lake = Lake(settings.lake_root)
    files = GoldFiles(settings.checkpoint_dir / "gold")
    files.save(GoldState("gold/x", batch_id=5, readings=Position(3), late=Position(1)))
    lake.append(DEVICE_MINUTE, lake.scan(DEVICE_MINUTE).collect(), Txn("gold/x", 2))
    assert gold_is_ahead(settings, lake)

    # Its silver has what gold has read, its gold the batches of it.
    for _ in range(2):
        grow(lake)
    lake.append(DEVICE_MINUTE, lake.scan(DEVICE_MINUTE).collect(), Txn("gold/x", 5))
    forget_older_lake(settings, lake)

    assert gold_is_ahead(settings, lake) is None
    assert not (files.checkpoint / OLDER_NOTE).exists()
