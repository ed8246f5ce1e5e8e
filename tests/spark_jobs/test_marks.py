"""Which windows rows touch, and that only these are made again, against simple models."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_jobs.gold_state import GoldState, Position
from spark_jobs.jobs.gold_rebuild import Rebuild
from spark_jobs.jobs.gold_restate import Restate
from spark_jobs.jobs.gold_tables import TABLES
from spark_jobs.lake import Lake
from spark_jobs.restatements import Mark, Restatements, Versions
from spark_jobs.transforms import marks
from spark_jobs.transforms.rules import rules
from telemetry.tables import (
    DELIVERY_DELAY,
    DEVICE_DAY,
    DEVICE_HOUR,
    DEVICE_MINUTE,
    DEVICE_SLIDING,
    LATE,
    READINGS,
    SESSIONS,
    ZONE_MINUTE,
    Table,
)
from tests.spark_jobs.empty_lakes import create_all
from tests.spark_jobs.gold_fleet import NOON, PRODUCTS, fleet
from tests.spark_jobs.silver_rows import silver

RULES = rules(PRODUCTS)
MINUTE = timedelta(minutes=1)
START = datetime(2026, 10, 20, 23, 50, tzinfo=UTC)
devices = st.sampled_from(["meter.d0", "meter.d1", "archive.d0"])
rows = st.lists(st.tuples(devices, st.integers(0, 30 * 60)), max_size=30)


def touching(touches: list[tuple[str, int]]) -> pl.DataFrame:
    at = [START + timedelta(seconds=second) for _, second in touches]
    names = [name for name, _ in touches]
    return pl.DataFrame(
        {
            "tenant": ["default"] * len(at),
            "product": [name.split(".")[0] for name in names],
            "device_full": names,
            "zone": [None if name.endswith("0") else "north" for name in names],
            "event_time": at,
            "received_at": at,
        },
        schema_overrides={
            **dict.fromkeys(("tenant", "product", "device_full", "zone"), pl.String()),
            **dict.fromkeys(("event_time", "received_at"), pl.Datetime("us", "UTC")),
        },
    )


def floor(at: datetime, width: timedelta) -> datetime:
    return datetime.fromtimestamp(
        at.timestamp() // width.total_seconds() * width.total_seconds(), UTC
    )


@settings(deadline=None)
@given(rows)
def test_marks_name_exactly_the_windows_that_rows_touch(touches: list[tuple[str, int]]) -> None:
    made = marks.of_rows(touching(touches))

    at = {(name, START + timedelta(seconds=second)) for name, second in touches}
    minutes = marks.windows_of(made, "1m")
    found = set(minutes.select("device_full", "window_start").iter_rows())
    assert found == {(name, floor(when, MINUTE)) for name, when in at}
    keys = marks.touched(minutes.select(marks.MINUTES), RULES)
    for table, width in ((DEVICE_HOUR, 60), (DEVICE_DAY, 1440)):
        seen = set(keys[table.name].select("device_full", "window_start").iter_rows())
        assert seen == {(name, floor(when, width * MINUTE)) for name, when in at}
    zones = set(keys[ZONE_MINUTE.name].select("product", "zone", "window_start").iter_rows())
    assert zones == {
        (name.split(".")[0], "" if name.endswith("0") else "north", floor(when, MINUTE))
        for name, when in at
    }
    slides = set(keys[DEVICE_SLIDING.name].select("device_full", "window_start").iter_rows())
    assert slides == {
        (name, floor(when, 5 * MINUTE) - n * 5 * MINUTE)
        for name, when in at
        for n in (0, 1)
        if name.startswith("meter")
    }


@settings(deadline=None)
@given(rows)
def test_minutes_of_a_device_that_meet_are_one_mark(touches: list[tuple[str, int]]) -> None:
    made = marks.of_rows(touching(touches)).sort("device_full", "window_start")

    assert made.select(((pl.col("window_end") - pl.col("window_start")) >= MINUTE).all()).item()
    ends = made.with_columns(before=pl.col("window_end").shift().over("device_full"))
    assert not ends.filter(pl.col("before") >= pl.col("window_start")).height


def test_marks_wait_for_versions_and_are_cleared_by_what_set_them(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    create_all(lake)
    store, windows = Restatements(lake), marks.of_rows(touching([("meter.d0", 0)]))
    store.mark(windows, Mark("one", "late", NOON, Versions(late=3)))
    store.mark(windows, Mark("two", "dedup", NOON))
    assert store.marks().sort("mark_id")["readings_version"].to_list() == [-1, None]

    store.settle("dedup", Versions(7, 8))
    settled = store.marks().sort("mark_id")
    assert list(settled.select("readings_version", "late_version").iter_rows()) == [(-1, 3), (7, 8)]
    store.mark(windows, Mark("three", "late", NOON, Versions(late=4)))
    store.clear(settled)

    assert store.marks()["mark_id"].to_list() == ["three"]


def gold(lake: Lake, table: Table) -> pd.DataFrame:
    return lake.scan(table).collect().to_pandas().set_index(list(table.key)).sort_index()


@pytest.mark.parametrize("most_rows", [150, 10_000])
def test_only_marked_windows_are_made_again(tmp_path: Path, most_rows: int) -> None:
    readings = fleet(seed=11, messages=600)
    lake, fresh = Lake(str(tmp_path / "one")), Lake(str(tmp_path / "two"))
    removed = readings.filter(
        (pl.col("device_full") == "meter.d1") & (pl.col("seq") % 40 == 0)
        | (pl.col("device_full") == "archive.d2") & (pl.col("seq") % 60 == 0)
    )
    kept = readings.join(removed, on=["device_full", "seq"], how="anti")
    for one, some in ((lake, readings), (fresh, kept)):
        create_all(one)
        one.append(READINGS, silver(some, READINGS), None)
    state = Rebuild(
        lake, RULES, GoldState("gold/x", readings=Position(2), late=Position(1))
    ).everything()
    expected = Rebuild(fresh, RULES, state).everything()
    lake.replace(READINGS, silver(kept, READINGS), None, None)
    before = {table: lake.table(table).version() for table in TABLES}
    files = {table: lake.files(table) for table in TABLES}

    marked = pl.concat([marks.of_rows(removed), marks.of_delays(removed)])
    after = GoldState("gold/x", readings=Position(3), late=Position(1), watermarks=state.watermarks)
    Restate(Rebuild(lake, RULES, after, most_rows)).run(marked)

    assert expected.watermarks.equals(state.watermarks)
    for table in TABLES:
        pd.testing.assert_frame_equal(
            gold(lake, table), gold(fresh, table), rtol=1e-9, obj=table.name
        )
        # The fleet sends over midnight, and each day is a commit.
        assert lake.table(table).version() - before[table] in (1, 2), table.name
        assert_rewritten(lake, table, files[table], marked)


def assert_rewritten(lake: Lake, table: Table, before: pl.DataFrame, marked: pl.DataFrame) -> None:
    """Hold every file that is gone against the windows that were marked."""
    gone = before.join(lake.files(table), on="path", how="anti")
    for path in gone["path"]:
        rows = pl.read_parquet(f"{lake.uri(table)}/{path}", hive_partitioning=False)
        if table not in (SESSIONS, DELIVERY_DELAY):
            minutes = marks.windows_of(marked.filter(table=DEVICE_MINUTE.name), "1m")
            keys = marks.touched(minutes.select(marks.MINUTES), RULES)[table.name]
            assert rows.join(keys, on=keys.columns, how="semi").height, (table.name, path)


def test_an_unmarked_lake_keeps_every_file(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    create_all(lake)
    lake.append(LATE, silver(fleet(seed=2, messages=50), LATE), None)
    state = GoldState("gold/x", readings=Position(1), late=Position(2))
    rebuild = Rebuild(lake, RULES, state)
    rebuild.everything()
    before = {table: lake.table(table).version() for table in TABLES}

    Restate(rebuild).run(marks.of_rows(touching([])))

    assert {table: lake.table(table).version() for table in TABLES} == before
