"""Gold in any batches is the same gold, and what an independent group-by gives."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from spark_jobs.commit_info import Txn
from spark_jobs.gold_state import GoldState, Position
from spark_jobs.jobs.gold_rebuild import Rebuild
from spark_jobs.jobs.gold_tables import WINDOW_TABLES, GoldTables
from spark_jobs.lake import Lake
from spark_jobs.table_files import Change, Snapshot, Swap
from spark_jobs.transforms import delays
from spark_jobs.transforms.reduction import Reduction, pack, reduction, unpacked
from spark_jobs.transforms.rules import WATERMARKS, rules, watermarks
from telemetry.tables import (
    DELIVERY_DELAY,
    DEVICE_SLIDING,
    DEVICE_WINDOWS,
    READINGS,
    SESSIONS,
    ZONE_WINDOWS,
    Table,
)
from tests.spark_jobs.empty_lakes import create_all
from tests.spark_jobs.gold_fleet import (
    PRODUCTS,
    fleet,
    grouped,
    grouped_sessions,
    grouped_sliding,
    in_batches,
)
from tests.spark_jobs.silver_rows import silver

RULES = rules(PRODUCTS)
NUMBERS = ["sum", "min", "max", "mean", "stddev", "first", "last"]
EXACT = ["count", "first_text", "last_text", "first_bool", "last_bool"]


def parts(readings: pl.DataFrame) -> Reduction:
    return reduction(readings, delays.messages(readings), RULES)


def merge(lake: Lake, batches: list[pl.DataFrame]) -> None:
    """Merge batches as gold does, each by a new owner, as if it had been restarted."""
    marks = pl.DataFrame(schema=WATERMARKS)
    for batch_id, batch in enumerate(batches):
        tables = GoldTables(lake)
        tables.find_open(watermarks([marks], RULES), marks)
        found = parts(batch)
        marks = watermarks([marks, found.highest], RULES)
        tables.merge(found, RULES, marks, Txn("gold/test", batch_id))


def gold(lake: Lake, table: Table) -> pd.DataFrame:
    return lake.scan(table).collect().to_pandas().set_index(list(table.key)).sort_index()


def assert_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    assert list(found.index) == list(expected.index)
    for name in NUMBERS:
        left, right = found[name].astype(float), expected[name].astype(float)
        np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-12, err_msg=name)
    for name in EXACT:
        assert _plain(found[name]) == _plain(expected[name]), name


def _plain(values: "pd.Series[float]") -> list[object]:
    return list(values.astype(object).where(values.notna(), None))


@pytest.fixture(scope="module")
def readings() -> pl.DataFrame:
    return fleet(seed=7)


@pytest.fixture(scope="module")
def merged(readings: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(str(tmp_path_factory.mktemp("merged")))
    create_all(lake)
    merge(lake, in_batches(readings, seed=1, batches=22))
    return lake


@pytest.mark.parametrize("width", DEVICE_WINDOWS)
def test_windows_of_devices_and_zones_are_the_group_by(
    merged: Lake, readings: pl.DataFrame, width: str
) -> None:
    for table in (DEVICE_WINDOWS[width], ZONE_WINDOWS[width]):
        assert_same(gold(merged, table), grouped(readings, table.key[2], width))


def test_sliding_windows_are_the_group_by(merged: Lake, readings: pl.DataFrame) -> None:
    assert_same(gold(merged, DEVICE_SLIDING), grouped_sliding(readings))


def test_sessions_are_the_walk_in_time(merged: Lake, readings: pl.DataFrame) -> None:
    assert_same(gold(merged, SESSIONS), grouped_sessions(readings))


def test_one_batch_gives_the_same_gold_as_many(
    merged: Lake, readings: pl.DataFrame, tmp_path: Path
) -> None:
    whole = Lake(str(tmp_path))
    create_all(whole)
    merge(whole, [readings])

    for table in (*WINDOW_TABLES, DELIVERY_DELAY):
        left, right = gold(merged, table), gold(whole, table)
        pd.testing.assert_frame_equal(left, right, rtol=1e-9, atol=1e-12)


def test_a_constant_series_has_no_deviation(merged: Lake) -> None:
    for table in (*DEVICE_WINDOWS.values(), *ZONE_WINDOWS.values()):
        fixed = merged.scan(table).filter(pl.col("metric") == "fixed", pl.col("count") > 1)
        assert fixed.select("stddev").unique().collect().to_series().to_list() == [0.0]
        assert fixed.select("mean").unique().collect().to_series().to_list() == [0.1]


def test_windows_are_final_by_the_watermark_of_their_product(
    merged: Lake, readings: pl.DataFrame
) -> None:
    marks = watermarks([parts(readings).highest], RULES)
    watermark = marks.filter(pl.col("product") == "meter")["watermark"].item()
    for table in WINDOW_TABLES:
        rows = merged.scan(table).collect()
        is_meter = pl.col("product") == "meter"
        expected = is_meter & (pl.col("window_end") <= watermark)
        assert rows.select((pl.col("is_final") == expected).all()).item(), table.name


def test_windows_turn_final_though_nothing_more_comes_for_them(
    readings: pl.DataFrame, tmp_path: Path
) -> None:
    """One owner takes batches as they came: what ended long ago gains nothing when it ends."""
    lake = Lake(str(tmp_path))
    create_all(lake)
    tables, marks = GoldTables(lake), pl.DataFrame(schema=WATERMARKS)
    tables.find_open(watermarks([marks], RULES), marks)
    came = readings.sort("received_at", "seq", "metric")

    for batch_id, batch in enumerate(came.iter_slices(came.height // 6 + 1)):
        found = parts(batch)
        marks = watermarks([marks, found.highest], RULES)
        tables.merge(found, RULES, marks, Txn("gold/test", batch_id))

    watermark = marks.filter(pl.col("product") == "meter")["watermark"].item()
    expected = (pl.col("product") == "meter") & (pl.col("window_end") <= watermark)
    for table in WINDOW_TABLES:
        rows = lake.scan(table).collect()
        assert rows.select((pl.col("is_final") == expected).all()).item(), table.name


class BreakingLake(Lake):
    """A lake that breaks before one of its commits."""

    def __init__(self, root: str, commits: int) -> None:
        super().__init__(root)
        self.commits = commits

    def _may_commit(self) -> None:
        self.commits -= 1
        if self.commits < 0:
            raise OSError("broken")

    def swap(self, snapshot: Snapshot, wanted: Swap, txn: Txn) -> bool:
        self._may_commit()
        return super().swap(snapshot, wanted, txn)

    def update(
        self,
        table: Table,
        change: Callable[[pl.LazyFrame], Change | None],
        txn: Txn | None,
        info: Mapping[str, str] | None = None,
    ) -> int | None:
        self._may_commit()
        return super().update(table, change, txn, info)


def test_a_batch_cut_short_goes_on_where_it_was(
    readings: pl.DataFrame, merged: Lake, tmp_path: Path
) -> None:
    lake = Lake(str(tmp_path))
    create_all(lake)
    batches = in_batches(readings, seed=1, batches=3)
    for tables_done in (1, 4, 4, 5, 6, 7):
        with pytest.raises(OSError, match="broken"):
            merge(BreakingLake(lake.root, tables_done), batches)
    merge(lake, batches)

    for table in (*WINDOW_TABLES, DELIVERY_DELAY):
        pd.testing.assert_frame_equal(gold(lake, table), gold(merged, table), rtol=1e-9)


@pytest.mark.parametrize("most_rows", [150, 10_000])
def test_gold_made_again_in_parts_is_the_same(
    readings: pl.DataFrame, merged: Lake, tmp_path: Path, most_rows: int
) -> None:
    lake = Lake(str(tmp_path))
    create_all(lake)
    lake.append(READINGS, silver(readings, READINGS), None)
    state = GoldState("gold/test", readings=Position(2), late=Position(1))
    Rebuild(lake, RULES, state, most_rows).everything()

    for table in (*WINDOW_TABLES, DELIVERY_DELAY):
        pd.testing.assert_frame_equal(gold(lake, table), gold(merged, table), rtol=1e-9)


def test_packed_partials_come_back_equal(readings: pl.DataFrame) -> None:
    made = parts(readings)

    found = unpacked(pl.DataFrame(pack(made)).to_arrow(), RULES)

    assert found.minutes.sort(pl.all()).equals(made.minutes.sort(pl.all()))
    assert found.delays.height == made.delays.height
