"""Windows of gold whose readings retention has dropped from silver: they stay, whatever is made."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
from pyspark.sql import SparkSession

from edge.registry_files import RegistryFiles
from spark_jobs.gold_state import GoldState, Position
from spark_jobs.jobs import rebuild_gold, recover, retention
from spark_jobs.jobs.gold_rebuild import Rebuild
from spark_jobs.jobs.gold_restate import Restate
from spark_jobs.jobs.gold_tables import TABLES, WINDOW_TABLES
from spark_jobs.jobs.held_since import held_since, standing
from spark_jobs.jobs.job_runs import Days
from spark_jobs.jobs.restating import whole_days
from spark_jobs.lake import Lake
from spark_jobs.transforms import marks
from spark_jobs.transforms.held import Held
from spark_jobs.transforms.rules import watermarks
from spark_jobs.transforms.spans import days, midnight
from telemetry.settings import Settings
from telemetry.tables import (
    DEVICE_DAY,
    DEVICE_HOUR,
    DEVICE_MINUTE,
    JOB_RUNS,
    READINGS,
    SESSIONS,
    Table,
)
from tests.spark_jobs.empty_lakes import create_all
from tests.spark_jobs.gold_fleet import PRODUCTS, fleet, grouped
from tests.spark_jobs.silver_rows import silver
from tests.spark_jobs.test_batch_jobs import advance, run
from tests.spark_jobs.test_gold_tables import RULES, assert_same, gold, parts

FIRST, SECOND = date(2026, 10, 20), date(2026, 10, 21)
TODAY = date(2026, 11, 1)
OVER = SECOND + timedelta(days=90)
"""Retention keeps the second day until then, and has dropped the first."""


def state(lake: Lake) -> GoldState:
    marks_ = watermarks([parts(fleet(seed=4)).highest], RULES)
    read = Position(lake.table(READINGS).version() + 1)
    return GoldState("gold/x", readings=read, watermarks=marks_)


def drop_first_day(settings: Settings) -> None:
    run(retention, settings, "--today", f"{OVER}")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return a home with two days of readings and gold of them; retention dropped the first."""
    made = Settings(home=tmp_path)
    lake = Lake(made.lake_root)
    create_all(lake)
    lake.append(READINGS, silver(fleet(seed=4), READINGS), None)
    Rebuild(lake, RULES, state(lake)).everything()
    drop_first_day(made)
    return made


def everything(rebuild: Rebuild) -> None:
    rebuild.everything()


def whole(rebuild: Rebuild) -> None:
    Restate(rebuild).run(whole_days([Days(FIRST, SECOND)]))


def marked(rebuild: Rebuild) -> None:
    readings = fleet(seed=4)
    Restate(rebuild).run(pl.concat([marks.of_rows(readings), marks.of_delays(readings)]))


@pytest.mark.parametrize("made", [everything, whole, marked])
def test_windows_whose_readings_are_gone_stay(
    settings: Settings, made: Callable[[Rebuild], None]
) -> None:
    lake = Lake(settings.lake_root)
    before = {table: gold(lake, table) for table in TABLES}
    meters = pl.col("product") == "meter"
    assert set(lake.scan(READINGS).filter(meters).collect()["event_date"]) == {SECOND}
    for table in (DEVICE_HOUR, DEVICE_DAY):
        starts = lake.scan(table).filter(meters).collect()["window_start"].dt.date()
        assert set(starts) == {FIRST, SECOND}, table.name

    made(Rebuild(lake, RULES, state(lake), held=held_since(lake, PRODUCTS, TODAY)))

    for table in TABLES:
        pd.testing.assert_frame_equal(gold(lake, table), before[table], rtol=1e-9, obj=table.name)


@pytest.mark.parametrize("made", [everything, whole])
def test_windows_whose_readings_are_held_follow_them(
    settings: Settings, made: Callable[[Rebuild], None]
) -> None:
    lake = Lake(settings.lake_root)
    lake.delete(READINGS, "seq % 3 = 0")
    kept = fleet(seed=4).filter(pl.col("seq") % 3 != 0)

    made(Rebuild(lake, RULES, state(lake), held=held_since(lake, PRODUCTS, TODAY)))

    second = pl.col("window_start") >= midnight(SECOND)
    for table, width in ((DEVICE_HOUR, "hour"), (DEVICE_DAY, "day")):
        found = lake.scan(table).filter(second).collect()
        expected = grouped(
            kept.filter(pl.col("event_time") >= midnight(SECOND)), "device_full", width
        )
        assert_same(found.to_pandas().set_index(list(table.key)).sort_index(), expected)


def test_all_is_held_that_is_there_or_not_over(settings: Settings, tmp_path: Path) -> None:
    lake = Lake(settings.lake_root)
    assert held_since(lake, PRODUCTS, TODAY).since == {"default": midnight(SECOND)}
    assert standing(lake, held_since(lake, PRODUCTS, TODAY), days(SECOND, SECOND)) == {}
    assert set(standing(lake, held_since(lake, PRODUCTS, TODAY))) > {DEVICE_HOUR.name}

    fresh = Lake(str(tmp_path / "fresh"))
    create_all(fresh)
    fresh.append(READINGS, silver(fleet(seed=4), READINGS), None)
    late = held_since(fresh, PRODUCTS, TODAY + timedelta(days=365))
    assert late.since == {"default": midnight(FIRST)}, "retention has not run yet"


def test_session_that_began_before_stays_one(settings: Settings) -> None:
    """Of readings of its second half alone a shorter session would be made beside it."""
    lake = Lake(settings.lake_root)
    over_midnight = (pl.col("window_start") < midnight(SECOND)) & (
        pl.col("window_end") > midnight(SECOND)
    )
    assert lake.scan(SESSIONS).filter(over_midnight).collect().height

    before = gold(lake, SESSIONS)

    held = held_since(lake, PRODUCTS, TODAY)
    Rebuild(lake, RULES, state(lake), held=held).run(days(SECOND, SECOND))

    pd.testing.assert_frame_equal(gold(lake, SESSIONS), before, rtol=1e-9)


def test_classes_with_quotes_are_named() -> None:
    held = Held({"it's": midnight(FIRST)}, {("t'", "p"): midnight(FIRST)})
    assert "retention_class <> 'it''s'" in held.windows()[0]
    assert "tenant <> 't'''" in held.hours()[0]


@pytest.mark.spark
def test_jobs_say_what_stays(spark: SparkSession, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    lake = Lake(settings.lake_root)
    create_all(lake)
    for product in PRODUCTS:
        RegistryFiles(settings.registry_dir).put_product(product)
    lake.append(READINGS, silver(fleet(seed=4, messages=200), READINGS), None)
    advance(spark, settings)
    drop_first_day(settings)
    before = {table: gold(lake, table) for table in WINDOW_TABLES}

    made = run(rebuild_gold, settings, "--from", f"{FIRST}", "--to", f"{SECOND}")
    assert made["gold"] == "done"
    _assert_as(lake, before)
    (settings.checkpoint_dir / "gold" / "gold.json").unlink()
    mended = run(recover, settings, "gold")
    advance(spark, settings)

    _assert_as(lake, before)
    for said in (made["stay"], mended["stay"]):
        assert isinstance(said, dict)
        assert {DEVICE_HOUR.name, DEVICE_DAY.name} <= set(said)
        assert DEVICE_MINUTE.name not in said, "retention drops its days as well"
    assert lake.scan(JOB_RUNS).collect()["success"].all()


def _assert_as(lake: Lake, before: dict[Table, pd.DataFrame]) -> None:
    for table, expected in before.items():
        pd.testing.assert_frame_equal(gold(lake, table), expected, rtol=1e-9, obj=table.name)
