"""A table of gold that was deleted or put back older is told, and the named command mends it."""

import shutil
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from edge.registry_files import RegistryFiles
from spark_jobs.gold_state import GoldFiles
from spark_jobs.jobs import recover
from spark_jobs.jobs.gold import Gold
from spark_jobs.jobs.gold_tables import TABLES
from spark_jobs.jobs.lost_gold import lost_table
from spark_jobs.lake import Lake
from spark_jobs.refusal import RefusalError
from telemetry.settings import Settings
from telemetry.tables import DELIVERY_DELAY, DEVICE_MINUTE, READINGS, SESSIONS, Table
from tests.spark_jobs.empty_lakes import create_all
from tests.spark_jobs.gold_fleet import PRODUCTS, fleet
from tests.spark_jobs.silver_rows import silver


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return a home whose gold has taken up all of silver."""
    made = Settings(home=tmp_path)
    lake = Lake(made.lake_root)
    create_all(lake)
    for product in PRODUCTS:
        RegistryFiles(made.registry_dir).put_product(product)
    land(lake, seed=5)
    prepare(made)
    return made


def land(lake: Lake, seed: int) -> None:
    """Let readings come; a last append would be the stream's, a rewrite it passes over."""
    lake.append(READINGS, silver(fleet(seed, messages=60), READINGS), None)
    lake.replace(READINGS, lake.scan(READINGS).collect(), None, None)


def prepare(settings: Settings) -> None:
    Gold(Lake(settings.lake_root), settings).prepare()


def rows(settings: Settings, table: Table) -> pl.DataFrame:
    return Lake(settings.lake_root).scan(table).sort(table.key).collect()


def recovered(settings: Settings) -> str:
    asked = Namespace(stream="gold", dry_run=False, accept_loss=False)
    return str(recover.run(asked, settings, Lake(settings.lake_root))["found"])


@pytest.mark.parametrize("table", [DEVICE_MINUTE, SESSIONS, DELIVERY_DELAY])
def test_deleted_table_of_gold_is_told_and_made_again(settings: Settings, table: Table) -> None:
    before = {each.name: rows(settings, each) for each in TABLES}
    assert before[DEVICE_MINUTE.name].height
    shutil.rmtree(Path(settings.lake_root, *table.name.split(".")))
    Lake(settings.lake_root).create_all()

    with pytest.raises(RefusalError, match=rf"\[GOLD_TABLE_LOST\].*{table.name}.*recover gold"):
        prepare(settings)
    assert "[GOLD_TABLE_LOST]" in recovered(settings)
    prepare(settings)

    for each in TABLES:
        assert_frame_equal(rows(settings, each), before[each.name])


def test_table_of_gold_that_is_made_anew_beneath_a_stream_is_told(settings: Settings) -> None:
    lake = Lake(settings.lake_root)
    state = GoldFiles(settings.checkpoint_dir / "gold").state()
    assert state is not None
    assert lost_table(state, lake) is None

    shutil.rmtree(Path(lake.uri(SESSIONS)))
    Lake(settings.lake_root).create_all()

    damage = lost_table(state, lake)
    assert damage is not None
    assert "gold.sessions was made anew" in damage.said


def test_older_copy_of_a_table_of_gold_is_told(settings: Settings, tmp_path: Path) -> None:
    folder = Path(settings.lake_root, *DEVICE_MINUTE.name.split("."))
    shutil.copytree(folder, tmp_path / "copy")
    lake = Lake(settings.lake_root)
    (settings.checkpoint_dir / "gold" / "gold.json").unlink()
    land(lake, seed=6)
    prepare(settings)
    shutil.rmtree(folder)
    (tmp_path / "copy").rename(folder)

    with pytest.raises(RefusalError, match=r"\[GOLD_TABLE_LOST\].*gold.device_minute has version"):
        prepare(settings)


def test_state_of_an_earlier_release_that_names_no_table_is_gone_on_from(
    settings: Settings,
) -> None:
    files = GoldFiles(settings.checkpoint_dir / "gold")
    state = files.state()
    assert state is not None
    files.save(replace(state, tables={}))

    prepare(settings)

    again = files.state()
    assert again is not None
    assert again.app_id == state.app_id
