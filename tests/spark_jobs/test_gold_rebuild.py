"""Gold made again: from clocks that were never set, and from much history."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pandas as pd
import polars as pl
from polars.io.plugins import register_io_source

from spark_jobs.gold_state import GoldState, Position
from spark_jobs.jobs import rebuild_gold
from spark_jobs.jobs.gold_rebuild import Rebuild
from spark_jobs.jobs.gold_restate import Restate
from spark_jobs.jobs.gold_tables import TABLES
from spark_jobs.lake import Lake
from spark_jobs.transforms import marks
from spark_jobs.transforms.spans import EARLIEST
from telemetry.settings import Settings
from telemetry.tables import DEVICE_SLIDING, READINGS, SESSIONS
from tests.spark_jobs.empty_lakes import create_all
from tests.spark_jobs.gold_fleet import fleet
from tests.spark_jobs.silver_rows import silver
from tests.spark_jobs.test_batch_jobs import run
from tests.spark_jobs.test_gold_tables import RULES, assert_same, gold, merge

STATE = GoldState("gold/test", readings=Position(2), late=Position(1))


def with_clocks_never_set(readings: pl.DataFrame) -> pl.DataFrame:
    """Return the readings, and those of one device that says the year 1 until its clock is set."""
    first = readings.filter(pl.col("device_full") == "meter.d1").head(8)
    times = [EARLIEST + timedelta(seconds=20 * number) for number in range(first.height)]
    unset = first.with_columns(
        event_time=pl.Series(times, dtype=first.schema["event_time"]), seq=pl.col("seq") + 10_000
    )
    return pl.concat([readings, unset])


def test_gold_of_clocks_that_were_never_set_is_made_again_as_it_was(tmp_path: Path) -> None:
    readings = with_clocks_never_set(fleet(seed=5, messages=60))
    followed, again = (Lake(str(tmp_path / name)) for name in ("followed", "again"))
    for lake in (followed, again):
        create_all(lake)
    merge(followed, [readings])
    again.append(READINGS, silver(readings, READINGS), None)

    state = Rebuild(again, RULES, STATE).everything()
    marked = marks.of_rows(readings.filter(pl.col("event_time") < EARLIEST + timedelta(days=1)))
    Restate(Rebuild(again, RULES, state)).run(marked)

    for table in TABLES:
        expected = gold(followed, table)
        pd.testing.assert_frame_equal(gold(again, table), expected, rtol=1e-9, obj=table.name)
    assert again.scan(SESSIONS).collect()["window_start"].min() == EARLIEST
    assert again.scan(DEVICE_SLIDING).collect()["window_start"].min() == EARLIEST


def test_gold_is_made_again_with_few_readings_in_memory_at_once(tmp_path: Path) -> None:
    readings = fleet(seed=6, span_s=5 * 86_400)
    at_once: list[int] = []

    def source(
        columns: list[str] | None, predicate: pl.Expr | None, _rows: int | None, _size: int | None
    ) -> Iterator[pl.DataFrame]:
        rows = readings if predicate is None else readings.filter(predicate)
        some = rows if columns is None else rows.select(columns)
        # Of few columns nothing is held but counts.
        at_once.append(some.height if some.width > 4 else 0)
        yield some

    scanned = register_io_source(source, schema=readings.schema)
    lake, whole = (Lake(str(tmp_path / name)) for name in ("parts", "whole"))
    for each in (lake, whole):
        create_all(each)
    most_rows = readings.height // 5
    rebuild = Rebuild(lake, RULES, STATE, most_rows, instead=(scanned,))
    rebuild.everything()

    assert 0 < max(at_once) < 2 * most_rows
    replace(rebuild, lake=whole, most_rows=10**6, instead=(readings.lazy(),)).everything()
    for table in TABLES:
        if table.name.startswith("gold"):
            assert_same(gold(lake, table), gold(whole, table))


def test_lake_without_readings_has_no_gold_to_make(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    create_all(Lake(settings.lake_root))
    assert "nothing" in str(run(rebuild_gold, settings, "--all")["gold"])
