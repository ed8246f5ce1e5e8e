"""One reader of silver's newest files: for the hot tier and for the latest values."""

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from services.query.hot.newest import NAMES, Newest
from services.query.hot.tier import Bounds
from services.query.latest_rows import PLACED, newest_rows
from services.query.pieces import Pieces
from services.query.reading import Lake
from telemetry.tables import LATE, READINGS
from tests.services.query_lake import EPOCH, Reading, Row, TestLake, numbered, put
from tests.services.query_parts import TestedQueries
from tests.services.test_query_service import START

VALUES = st.sampled_from([None, 1.5, -2.0, float("inf"), "idle", "é", True, False])
PLACES = st.none() | st.integers(-90, 90).map(float)
ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from("ab"), st.sampled_from("xy"), VALUES, PLACES),
    min_size=1,
    max_size=20,
)


def opened(root: Path, megabytes: int = 8) -> Lake:
    return Lake(str(root), Pieces(1 << 20), Bounds(megabytes << 20))


Drawn = tuple[int, str, str, object, float | None]


def row(seq: int, drawn: Drawn) -> Row:
    """Return a reading whose type of value its metric does not fix."""
    at, device, metric, value, lat = drawn
    named = Reading(START, 0.0, seq, f"meter.{device}", metric).row() | {"value": None}
    column = {bool: "value_bool", str: "value_text"}.get(type(value), "value")
    time = EPOCH + timedelta(microseconds=START + at)
    moved = {"lat": lat, "lng": lat, "event_time": time, "event_time_us": START + at}
    return named | moved | {column: value}


def paths(root: Path) -> list[Path]:
    table = root / Path(*READINGS.name.split("."))
    return [table / name for name in DeltaTable(str(table)).file_uris()]


@given(ROWS, st.booleans())
@settings(max_examples=25, deadline=None)
def test_rows_are_those_of_a_reading_of_their_own(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[Drawn], is_late: bool
) -> None:
    root = tmp_path_factory.mktemp("lake")
    table = LATE if is_late else READINGS
    put(root, table, [row(seq, each) for seq, each in enumerate(drawn)])
    lake = opened(root)
    files = lake.tables[table.name]
    known = files.listing().paths
    told = dict(lake.hot.newest(table.name, known))
    assert told.keys() == set(known)
    expected = newest_rows(files, known, NAMES)
    found = pl.concat(told.values())
    key = list(PLACED)[:3]
    assert found.sort(key).equals(expected.select(found.columns).sort(key))


def test_files_that_the_hot_tier_read_are_not_read_for_the_latest_values(tmp_path: Path) -> None:
    root = tmp_path / "lake"
    TestLake(root).land(numbered(Reading(START, 1.0, device=f"meter.m{n}") for n in range(3)))
    service = TestedQueries(tmp_path).service
    assert not service.lake.hot.step()
    for path in paths(root):
        path.unlink()
    assert sorted(service.latest.state().rows["device_full"]) == [f"meter.m{n}" for n in range(3)]


def test_files_that_the_latest_values_read_are_held(tmp_path: Path) -> None:
    lake = TestLake(tmp_path / "lake")
    lake.land(numbered(Reading(START + n, 1.0) for n in range(10)), files=10)
    service = TestedQueries(tmp_path).service
    assert len(service.latest.state().rows) == 1
    assert service.lake.hot.counted()["files"] == 10
    assert not service.lake.hot.step()
    assert service.lake.hot.reads == 10


def test_files_that_are_not_held_are_read_for_the_latest_values_alone(tmp_path: Path) -> None:
    TestLake(tmp_path / "lake").land([Reading(START, 1.0)])
    service = TestedQueries(tmp_path, query_hot_mb=0).service
    assert service.latest.state().rows["number"].to_list() == [1.0]
    assert service.lake.hot.reads == 0


def test_latest_rows_that_nobody_asked_for_are_forgotten(tmp_path: Path) -> None:
    TestLake(tmp_path).land(numbered(Reading(START + n, 1.0) for n in range(2)), files=2)
    lake = opened(tmp_path)
    lake.hot.step()
    first, second = lake.tables[READINGS.name].listing().paths
    assert dict(lake.hot.newest(READINGS.name, [first])).keys() == {first}
    assert dict(lake.hot.newest(READINGS.name, [second])) == {}


def test_what_is_read_for_the_latest_values_is_bounded_too(tmp_path: Path) -> None:
    # Fewer files than are merged; their names alone are more than may be held.
    rows = numbered(Reading(START + n, 1.0, device=f"meter.m{n}") for n in range(7))
    TestLake(tmp_path).land(rows, files=7)
    lake = Lake(str(tmp_path), Pieces(1 << 20), Bounds(2000))
    known = lake.tables[READINGS.name].listing().paths
    found = pl.concat(dict(lake.hot.newest(READINGS.name, known)).values())
    assert sorted(found["device_full"]) == [each.device for each in rows]
    assert lake.hot.memory <= 2000


def test_file_that_no_run_can_say_is_read_for_the_latest_values(tmp_path: Path) -> None:
    both = Reading(START, 1.5).row() | {"value_text": "high"}
    put(tmp_path / "lake", READINGS, [both])
    service = TestedQueries(tmp_path).service
    assert service.latest.state().rows["number"].to_list() == [1.5]
    assert service.lake.hot.counted()["files"] == 0


def test_rows_are_taken_once_and_those_without_room_are_let_go(tmp_path: Path) -> None:
    kept = Newest(most_rows=3)
    frame = pl.DataFrame({"n": [1, 2]})
    kept.put((READINGS.name, "a"), frame)
    kept.put((READINGS.name, "b"), frame)
    assert kept.take((READINGS.name, "a")) is None
    assert kept.take((READINGS.name, "b")) is frame
    assert kept.take((READINGS.name, "b")) is None
    kept.put((READINGS.name, "c"), frame)
    kept.put((LATE.name, "c"), frame.head(1))
    kept.forget(READINGS.name)
    assert kept.take((READINGS.name, "c")) is None
    assert kept.take((LATE.name, "c")) is not None
