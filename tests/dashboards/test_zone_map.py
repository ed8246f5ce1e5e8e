"""Where the map's marks stand, asked without Trino: as Web Mercator has it, in one area for all."""

import math
import re
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from infra.sql.light_engine import query_light
from telemetry import tables
from telemetry.settings import Settings
from tests.dashboards.bundle import read
from tests.dashboards.lakes import DEVICES_A_ZONE, ZONES, Row, seed, write

(SQL,) = [one["sql"] for one in read("datasets").values() if one["table_name"] == "zone_map"]
WORLD = 1e9


def asked(home: Path) -> pl.DataFrame:
    """Return what the map knows of each device of a lake."""
    found = query_light(Settings(home=home), SQL)
    return pl.DataFrame(list(found.rows), schema=list(found.columns), orient="row")


@pytest.fixture(scope="module")
def placed(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """Return the devices that have a place."""
    home: Path = tmp_path_factory.mktemp("map")
    seed(home / "lake", datetime.now(UTC))
    return asked(home).filter(pl.col("x").is_not_null())


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


def test_devices_without_a_place_count_in_their_zone(tmp_path: Path) -> None:
    lake, now = tmp_path / "lake", datetime.now(UTC)
    seed(lake, now)
    before = asked(tmp_path)
    alone: Row = {"tenant": "default", "device_full": "room.moor", "zone": "moor"}
    write(lake, tables.DEVICES, [alone | {"product": "room"}])
    for device in ("room.spare", "room.moor"):
        write(lake, tables.REJECTED, [breach(device, now)])
    found = asked(tmp_path)
    assert zone_sum(found, "harbour") == zone_sum(before, "harbour") + 1
    (mark,) = found.filter(pl.col("zone") == "harbour")["zone_mark"].drop_nulls()
    assert f">{zone_sum(found, 'harbour')}</span>" in mark
    assert f"of {DEVICES_A_ZONE + 1} devices reporting" in mark
    moor = found.filter(pl.col("zone") == "moor")
    assert moor.select("breaches", "zone_mark", "heat_mark").rows() == [(1, None, None)]


def test_a_mark_says_whose_zone_it_is_where_several_have_one_of_its_name(tmp_path: Path) -> None:
    place: Row = {"zone": "harbour", "product": "room", "lat": 53.5, "lng": 9.9}
    for table in tables.TABLES:
        owners = ("acme", "bolt") if table == tables.DEVICES else ()
        write(tmp_path / "lake", table, [{"tenant": one, "device_full": "room.a", **place}
                                         for one in owners])  # fmt: skip
    marks = asked(tmp_path)["zone_mark"].drop_nulls()
    for owner in ("acme", "bolt"):
        assert sum(f">{owner} / harbour</span>" in mark for mark in marks) == 1
        assert sum(f'title="{owner} / harbour: 0 breaches' in mark for mark in marks) == 1


def breach(device: str, now: datetime) -> Row:
    """Return a message that was rejected for a value out of its range."""
    return {
        "topic": "telemetry", "partition": 1, "offset": 1, "item": 0, "tenant": "default",
        "device_full": device, "product": "room", "received_at": now, "received_date": now.date(),
        "reasons": [{"field": "temperature", "rule": "range", "value": "99"}],
    }  # fmt: skip


def zone_sum(found: pl.DataFrame, zone: str) -> int:
    """Return the breaches of a zone's devices."""
    return int(found.filter(pl.col("zone") == zone)["breaches"].cast(int).sum())
