"""Devices that stand in no zone are a zone of their own, named '' as gold names it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from telemetry.tables import DEVICES, WINDOW_MINUTES, ZONE_WINDOWS
from tests.services.live_server import LiveServer, first, served
from tests.services.query_lake import Reading, TestLake, numbered, put, windows, with_period
from tests.services.query_parts import TestedQueries
from tests.services.test_query_series import MINUTE, START

END = START + 10 * MINUTE
NOWHERE = ["meter.m2", "meter.m3", "meter.m4"]


@pytest.fixture
def lake(tmp_path: Path) -> TestLake:
    """One device in a zone; three in none: one is not registered, two are and say so."""
    lake = TestLake(tmp_path / "lake")
    lake.land(numbered(
        Reading(START + n * MINUTE, float(n), device=f"meter.m{m}", zone="north" if m == 1 else "")
        for n in range(10)
        for m in (1, 2, 3, 4)
    ))  # fmt: skip
    for name, table in ZONE_WINDOWS.items():
        rows = windows(lake.readings, WINDOW_MINUTES[name] * MINUTE, END, "zone")
        put(lake.root, table, with_period(rows, name))
    where = {"tenant": "default", "product": "meter", "lat": 48.0, "lng": 11.0}
    put(lake.root, DEVICES, [
        {**where, "device_full": name, "zone": zone}
        for name, zone in (("meter.m1", "north"), ("meter.m2", None), ("meter.m3", ""))
    ])  # fmt: skip
    return lake


def names(said: dict[str, Any]) -> list[str]:
    return [point["device_id"] for point in said["points"]]


def test_what_is_in_no_zone_is_asked_for_by_an_empty_name(lake: TestLake) -> None:
    queries = TestedQueries(lake.root.parent)
    span = {"start": START, "end": END}
    by_zone = {"by": "zone", "metric": "kwh", **span, "points": 1, "agg": "count"}
    of_both = queries.json("/v1/aggregate", **by_zone)["points"]
    assert [(row["zone"], row["value"]) for row in of_both] == [("", 30.0), ("north", 10.0)]
    assert queries.json("/v1/aggregate", **by_zone, zone="")["points"] == of_both[:1]

    minutes = queries.json("/v1/windows", width="minute", zone="", **span)
    assert [row["count"] for row in minutes["points"]] == [3] * 10
    assert {row["zone"] for row in minutes["points"]} == {""}
    for path in ("/v1/latest", "/v1/devices"):
        assert names(queries.json(path, zone="")) == NOWHERE
        assert {point["zone"] for point in queries.json(path, zone="")["points"]} == {None}
    assert [zone["zone"] for zone in queries.json("/v1/zones")["points"]] == ["north"]
    assert len(queries.json("/v1/latest")["points"]) == 4


@pytest.mark.parametrize("path", ["/v1/windows", "/v1/live"])
def test_device_and_empty_zone_are_two_subjects(lake: TestLake, path: str) -> None:
    queries = TestedQueries(lake.root.parent)
    both = queries.ask(path, width="minute", device_id="meter.m1", zone="")
    assert both.status_code == 422
    assert queries.ask(path, width="minute", device_id="").status_code == 422


@pytest.fixture
def live(lake: TestLake) -> Iterator[LiveServer]:
    live = LiveServer(lake.root.parent)
    with served(live):
        yield live


def test_what_is_in_no_zone_is_followed_as_it_comes(lake: TestLake, live: LiveServer) -> None:
    with live.events(zone="") as events:
        latest = first(events, "latest")
        assert sorted(row["device_id"] for row in latest["rows"]) == NOWHERE
        assert sorted(row["device_id"] for row in first(events, "places")["rows"]) == NOWHERE[:2]
        assert len(first(events, "windows")["rows"]) == 10
        lake.land([Reading(END, 77.0, 10**6, "meter.m4", zone=""), Reading(END, 5.0, 10**6)])
        assert [row["value"] for row in first(events, "latest")["rows"]] == [77.0]
    with live.socket(zone="", follow=False) as socket:
        assert json.loads(socket.recv(timeout=20))["type"] == "latest"
