"""A product that changes its retention class within a window has one row of gold for it."""

from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from spark_jobs.gold_state import GoldState, Position
from spark_jobs.jobs.gold_rebuild import Rebuild
from spark_jobs.jobs.gold_restate import Restate
from spark_jobs.lake import Lake
from spark_jobs.restatements import Mark
from spark_jobs.transforms.classes import of_longest, several
from spark_jobs.transforms.marks import of_rows
from spark_jobs.transforms.rules import watermarks
from spark_jobs.transforms.window_rows import TABLES
from telemetry.tables import DEVICE_SLIDING, READINGS
from tests.spark_jobs.empty_lakes import create_all
from tests.spark_jobs.gold_fleet import fleet, grouped, grouped_sliding, in_batches
from tests.spark_jobs.silver_rows import silver
from tests.spark_jobs.test_gold_tables import RULES, assert_same, gold, merge, parts

METER = pl.col("product") == "meter"


@pytest.fixture(scope="module")
def readings() -> pl.DataFrame:
    """Return readings of which every third message of the meters came after a change of class."""
    changed = METER & (pl.col("seq") % 3 == 0)
    kept = pl.when(changed).then(pl.lit("forever")).otherwise("retention_class")
    return fleet(seed=11, messages=300).with_columns(retention_class=kept)


def lake_at(root: Path) -> Lake:
    lake = Lake(str(root))
    create_all(lake)
    return lake


def rows(lake: Lake) -> dict[str, pd.DataFrame]:
    return {table.name: gold(lake, table) for table in TABLES}


@pytest.mark.parametrize("is_turned", [False, True])
def test_window_has_one_row_whichever_class_came_first(
    readings: pl.DataFrame, tmp_path: Path, is_turned: bool
) -> None:
    by_class = [readings.filter(retention_class="forever"), readings.filter(METER.not_())]
    by_class.insert(1, readings.filter(METER, pl.col("retention_class") != "forever"))
    lake = lake_at(tmp_path)

    merge(lake, by_class[::-1] if is_turned else by_class)

    for table in TABLES:
        width = table.name.partition("_")[2]
        is_sliding = table == DEVICE_SLIDING
        same = grouped_sliding(readings) if is_sliding else grouped(readings, table.key[2], width)
        assert_same(gold(lake, table), same)


def test_any_batches_and_gold_made_anew_have_the_same_rows(
    readings: pl.DataFrame, tmp_path: Path
) -> None:
    batched, anew = lake_at(tmp_path / "batched"), lake_at(tmp_path / "anew")
    merge(batched, in_batches(readings, seed=2, batches=7))
    anew.append(READINGS, silver(readings, READINGS), None)
    marks = watermarks([parts(readings).highest], RULES)
    rebuild = Rebuild(anew, RULES, GoldState("gold/x", readings=Position(2), watermarks=marks))
    rebuild.everything()
    expected = rows(batched)

    for made in (rows(anew), _restated(rebuild, readings)):
        for name, frame in made.items():
            pd.testing.assert_frame_equal(frame, expected[name], rtol=1e-9, atol=1e-12)
    minutes = expected["gold.device_minute"]
    assert set(minutes["retention_class"]) == {"default", "forever", "history"}


def _restated(rebuild: Rebuild, readings: pl.DataFrame) -> dict[str, pd.DataFrame]:
    some = readings.filter(METER, pl.col("seq") < 150)
    mark = Mark("m", "replay", readings["received_at"][0])
    marked = of_rows(some).with_columns(mark_id=pl.lit(mark.mark_id), reason=pl.lit(mark.reason))
    assert Restate(rebuild).run(marked)
    return rows(rebuild.lake)


def test_class_that_is_kept_longest_wins() -> None:
    classes = ["30 d", "default", "history", "forever", "forever", "1 d"]
    keys = [1, 1, 2, 2, 3, 4]
    frame = pl.DataFrame({"tenant": "t", "product": "p", "key": keys, "retention_class": classes})
    other = frame.head(1).with_columns(product=pl.lit("other"), retention_class=pl.lit("x"))
    both = pl.concat([frame, other])

    found = of_longest(both, ["product", "key"], several(both)).sort("product", "key")

    assert found["retention_class"].to_list() == [
        "x",
        "default",
        "default",
        *["forever"] * 3,
        "1 d",
    ]
