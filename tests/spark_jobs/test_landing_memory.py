"""What landing remembers after a restart: all that silver holds."""

import time
from pathlib import Path

import polars as pl
import pytest

from spark_jobs.dedup.generations import GENERATION
from spark_jobs.jobs.first_copies import KEY
from spark_jobs.jobs.landing_memory import MOST_PRODUCTS, REMEMBERED, LandingMemory
from spark_jobs.lake import Lake
from telemetry.tables import READINGS
from tests.spark_jobs.gold_fleet import fleet
from tests.spark_jobs.silver_rows import silver


@pytest.mark.parametrize("ahead_s", [0, 3600], ids=["a true clock", "a clock set back since"])
def test_what_landed_since_the_last_save_is_known(tmp_path: Path, ahead_s: int) -> None:
    lake, rows = Lake(str(tmp_path / "lake")), fleet(seed=1, messages=6)
    for table in REMEMBERED:
        lake.create(table)

    def memory() -> LandingMemory:
        return LandingMemory(lake, tmp_path / "memory", remembered=100, horizon_us=None)

    is_first = pl.col("seq") < 3
    lake.append(READINGS, silver(rows.filter(is_first), READINGS), None)
    memory().save(time.time() + ahead_s)
    lake.append(READINGS, silver(rows.filter(~is_first), READINGS), None)

    index = memory().index
    assert not any(index.add(key) for key in rows.select(KEY).unique().rows())


def test_products_that_senders_make_up_are_not_remembered_without_end(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    for table in REMEMBERED:
        lake.create(table)
    memory = LandingMemory(lake, tmp_path / "memory", remembered=100, horizon_us=None)

    for number in range(3 * MOST_PRODUCTS):
        memory.note_received({("default", name): number for name in (f"made-up-{number}", "meter")})

    assert len(memory.received) <= MOST_PRODUCTS
    assert memory.received["default", "meter"] == 3 * MOST_PRODUCTS - 1


def test_keys_are_remembered_by_number_whatever_clocks_say(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    for table in REMEMBERED:
        lake.create(table)
    memory = LandingMemory(lake, tmp_path / "memory", remembered=1_000_000, horizon_us=10)

    for number in range(2 * GENERATION + 1):
        memory.index.add(("default", "d", f"h:{number}", 0))
    memory.save(time.time() + 365 * 86400)

    again = LandingMemory(lake, tmp_path / "memory", remembered=1_000_000, horizon_us=10)
    for each in (memory, again):
        assert not each.index.add(("default", "d", "h:0", 0))
