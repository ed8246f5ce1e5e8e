"""Where the map's marks stand, asked without Trino: as Web Mercator has it, in one area for all."""

import math
import re
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from infra.sql.light_engine import query_light
from telemetry.settings import Settings
from tests.dashboards.bundle import read
from tests.dashboards.lakes import ZONES, seed

(SQL,) = [one["sql"] for one in read("datasets").values() if one["table_name"] == "zone_map"]
WORLD = 1e9


@pytest.fixture(scope="module")
def placed(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    home: Path = tmp_path_factory.mktemp("map")
    seed(home / "lake", datetime.now(UTC))
    found = query_light(Settings(home=home), SQL)
    return pl.DataFrame(list(found.rows), schema=list(found.columns), orient="row")


def mercator(lat: float, lng: float) -> tuple[float, float]:
    """Return the place of a point by the formula of the usual tiles."""
    y = (1 - math.log(math.tan(math.radians(lat)) + 1 / math.cos(math.radians(lat))) / math.pi) / 2
    return (lng + 180) / 360, y


def test_all_stand_within_one_area_of_the_world(placed: pl.DataFrame) -> None:
    (area,) = placed.select("west", "north", "span").unique().rows()
    west, north, span = (int(part) for part in area)
    assert 0 <= west <= west + span <= WORLD
    assert 0 <= north <= north + span / 2 <= WORLD
    for row in placed.rows(named=True):
        assert 0 <= row["x"] <= 100
        assert 0 <= row["y"] <= 100


def test_a_mark_stands_where_the_picture_shows_its_place(placed: pl.DataFrame) -> None:
    for row in placed.rows(named=True):
        x, y = mercator(float(row["lat"]), float(row["lng"]))
        assert float(row["x"]) == pytest.approx(
            100 * (x * WORLD - row["west"]) / row["span"], abs=0.02
        )
        down = 200 * (y * WORLD - row["north"]) / row["span"]
        assert float(row["y"]) == pytest.approx(down, abs=0.02)


def test_a_zone_stands_amid_its_devices(placed: pl.DataFrame) -> None:
    zones = placed.group_by("zone").agg(pl.col("x", "y", "zone_x", "zone_y").cast(float).mean())
    assert set(zones["zone"]) == set(ZONES)
    for row in zones.rows(named=True):
        assert row["zone_x"] == pytest.approx(row["x"], abs=0.02)
        assert row["zone_y"] == pytest.approx(row["y"], abs=0.02)


def test_a_zone_has_one_mark_with_its_breaches(placed: pl.DataFrame) -> None:
    marks = placed.filter(pl.col("zone_mark").is_not_null()).sort("zone")
    assert list(marks["zone"]) == sorted(ZONES)
    breaches = placed.group_by("zone").agg(pl.col("breaches").cast(int).sum()).sort("zone")
    assert breaches["breaches"].sum() > 0
    for mark, count in zip(marks["zone_mark"], breaches["breaches"], strict=True):
        assert f">{count}</span>" in mark
        assert ("#2a9d5b" in mark) == (count == 0)


def test_heat_is_where_breaches_are(placed: pl.DataFrame) -> None:
    hot = placed.filter(pl.col("heat_mark").is_not_null())
    assert list(hot["breaches"].cast(int) > 0) == [True] * len(hot)
    assert len(hot) > 0


def test_places_of_marks_are_plain_numbers(placed: pl.DataFrame) -> None:
    for mark in (*placed["zone_mark"].drop_nulls(), *placed["heat_mark"].drop_nulls()):
        assert re.search(r"left:\d+\.\d\d%;top:\d+\.\d\d%;", mark)
