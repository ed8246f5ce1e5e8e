"""`/v1/aggregate` and `/v1/windows` against a plain recomputation from the readings."""

import math
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.query.times import micros, time_text
from telemetry.tables import WINDOW_MINUTES, ZONE_WINDOWS
from tests.services.query_lake import Reading, TestLake, numbered, put, windows, with_period
from tests.services.query_parts import TestedQueries
from tests.services.test_query_series import plain

MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000
START = 20_600 * DAY
END = START + 3 * DAY
FINAL = START + 2 * DAY + 7 * HOUR
MANY = settings(max_examples=40, deadline=None, derandomize=True)
MOMENTS = st.one_of(
    st.integers(-600, 5_000).map(lambda minutes: START + minutes * MINUTE),
    st.integers(0, 3 * 24).map(lambda hours: START + hours * HOUR),
)
DEVICES = {"meter.m1": "north", "meter.m2": "north", "pump.p1": "north", "pump.p2": "south"}
ZONE_AGGS = ("mean", "min", "max", "sum", "count", "stddev")


def fleet(seed: int) -> list[Reading]:
    """Return readings of some devices with gaps, sentinels, and another tenant's and metric's."""
    chance = random.Random(seed)
    found: list[Reading] = []
    for device, zone in DEVICES.items():
        at = START
        while (at := at + chance.choice([1_000, 15_000_000, 11 * MINUTE, 40 * MINUTE, HOUR])) < END:
            # Far from zero and close together, where squares of numbers lose their digits.
            value = None if chance.random() < 0.1 else 1e6 + chance.gauss(20, 5)
            found.append(Reading(at, value, device=device, zone=zone))
            if chance.random() < 0.1:
                found.append(Reading(at, 1.0, device=device, zone=zone, tenant="other"))
                found.append(Reading(at, 2.0, device=device, zone=zone, metric="v"))
    return numbered(found)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> TestLake:
    made = TestLake(tmp_path_factory.mktemp("zones") / "lake")
    made.land(fleet(3))
    made.make_gold(FINAL)
    for name, table in ZONE_WINDOWS.items():
        rows = windows(made.readings, WINDOW_MINUTES[name] * MINUTE, FINAL, "zone")
        put(made.root, table, with_period(rows, name))
    return made


@pytest.fixture(scope="module")
def queries(lake: TestLake) -> TestedQueries:
    return TestedQueries(lake.root.parent, query_rate=0)


def asked_range(bounds: tuple[int, int]) -> dict[str, int]:
    start, end = sorted(bounds)
    return {"start": start, "end": max(end, start + MINUTE)}


def of(lake: TestLake, asked: dict[str, Any], **only: str) -> list[Reading]:
    return [
        each
        for each in lake.readings
        if (each.tenant, each.metric) == ("default", asked["metric"])
        and asked["start"] <= each.at_us < asked["end"]
        and all(getattr(each, name) == value for name, value in only.items())
    ]


@MANY
@given(
    bounds=st.tuples(MOMENTS, MOMENTS),
    points=st.one_of(st.integers(1, 40), st.integers(1, 2_000)),
    by=st.sampled_from(["zone", "product"]),
    agg=st.sampled_from(ZONE_AGGS),
)
def test_aggregate_is_that_of_a_plain_recomputation(
    bounds: tuple[int, int], points: int, by: str, agg: Any, request: pytest.FixtureRequest
) -> None:
    lake, queries = request.getfixturevalue("lake"), request.getfixturevalue("queries")
    asked = {"by": by, "metric": "kwh", "points": points, "agg": agg, **asked_range(bounds)}
    said = queries.json("/v1/aggregate", **asked)

    width = int(said["bucket_s"] * 1_000_000)
    groups: dict[tuple[str, int], list[Reading]] = {}
    for each in of(lake, asked):
        if each.value is not None:
            name = each.zone if by == "zone" else each.device.partition(".")[0]
            at = max(each.at_us // width * width, asked["start"])
            groups.setdefault((name, at), []).append(each)
    found = [(point[by], point["time"]) for point in said["points"]]
    assert found == [(name, time_text(at)) for name, at in sorted(groups)]
    assert said["points_in"] == sum(map(len, groups.values()))
    assert (said["truncated"], said["points_out"]) == (False, len(groups))
    assert [point["count"] for point in said["points"]] == [len(groups[k]) for k in sorted(groups)]
    expected = [plain(agg, groups[key]) for key in sorted(groups)]
    values = [math.nan if p["value"] is None else p["value"] for p in said["points"]]
    assert values == pytest.approx(expected, rel=1e-9, abs=1e-5, nan_ok=True)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"start": START + 30_000_000}, {"query.start": (START, START + MINUTE)}),
        ({"end": END + 1}, {"query.end": (END, END + MINUTE)}),
        (
            {"start": START - 1, "end": END - MINUTE // 2},
            {"query.start": (START - MINUTE, START), "query.end": (END - MINUTE, END)},
        ),
    ],
)
def test_part_of_a_minute_is_refused_with_the_minutes_around_it(
    queries: TestedQueries, change: dict[str, int], told: dict[str, tuple[int, int]]
) -> None:
    asked: dict[str, Any] = {"by": "zone", "metric": "kwh", "start": START, "end": END, **change}
    answer = queries.ask("/v1/aggregate", **asked)
    assert answer.status_code == 422
    faults = {fault["where"]: fault["reason"] for fault in answer.json()["errors"]}
    assert faults.keys() == told.keys()
    for where, (before, after) in told.items():
        assert f"take {time_text(before)} or {time_text(after)}" in faults[where]


def test_aggregate_of_one_zone_and_product_has_only_theirs(
    lake: TestLake, queries: TestedQueries
) -> None:
    asked = {"by": "zone", "metric": "kwh", "start": START, "end": END, "points": 1, "agg": "count"}
    for only in ({"zone": "south"}, {"product": "meter"}, {"zone": "north", "product": "pump"}):
        devices = [
            device
            for device, zone in DEVICES.items()
            if only.get("zone", zone) == zone
            if device.startswith(only.get("product", ""))
        ]
        readings = [each for each in of(lake, asked) if each.device in devices]
        said = queries.json("/v1/aggregate", **asked, **only)
        assert sum(p["value"] for p in said["points"]) == sum(r.value is not None for r in readings)


@MANY
@given(
    bounds=st.tuples(MOMENTS, MOMENTS),
    points=st.one_of(st.integers(1, 40), st.integers(1, 10_000)),
    width=st.sampled_from(list(WINDOW_MINUTES)),
    subject=st.sampled_from([("device_id", "meter.m1"), ("zone", "north"), ("zone", "south")]),
)
def test_windows_are_those_of_a_plain_recomputation(
    bounds: tuple[int, int],
    points: int,
    width: str,
    subject: tuple[str, str],
    request: pytest.FixtureRequest,
) -> None:
    lake, queries = request.getfixturevalue("lake"), request.getfixturevalue("queries")
    name, value = subject
    asked: dict[str, Any] = {
        "width": width,
        "metric": "kwh",
        "points": points,
        **asked_range(bounds),
        name: value,
    }
    said = queries.json("/v1/windows", **asked)

    column, attribute = ("device_full", "device") if name == "device_id" else ("zone", "zone")
    whole = {"metric": "kwh", "start": START - DAY, "end": END + DAY}
    made: list[dict[str, Any]] = windows(
        of(lake, whole, **{attribute: value}), WINDOW_MINUTES[width] * MINUTE, FINAL, column
    )
    inside = [row for row in made if asked["start"] <= micros(row["window_start"]) < asked["end"]]
    expected = sorted(inside, key=lambda row: micros(row["window_start"]), reverse=True)
    assert said["points_in"] == sum(int(str(row["count"])) for row in expected)
    assert said["points_out"] == len(said["points"]) == min(points, len(expected))
    assert said["truncated"] == (len(expected) > points)
    found = [_key(point) for point in said["points"]]
    times = [time_text(micros(row["window_start"])) for row in expected[:points]]
    assert [key[0] for key in found] == times
    if not said["truncated"]:
        rows = [
            _key(row | {"window_start": time_text(micros(row["window_start"]))}) for row in inside
        ]
        assert sorted(found, key=str) == sorted(rows, key=str)


def _key(row: dict[str, Any]) -> tuple[object, ...]:
    names = ("window_start", "product", "is_final", "count", "sum", "min", "max", "mean")
    return (*(row[name] for name in names), row.get("first"), row.get("last"))
