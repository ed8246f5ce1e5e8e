"""`/v1/aggregate` and `/v1/windows` over what retention has dropped, against a recomputation."""

import math
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.query.times import micros, time_text
from telemetry.tables import (
    DEVICE_SLIDING,
    DEVICE_WINDOWS,
    SESSIONS,
    WINDOW_MINUTES,
    ZONE_WINDOWS,
    Table,
)
from tests.services.query_lake import Reading, TestLake, put, windows, with_period
from tests.services.query_parts import TestedQueries
from tests.services.test_query_recomputed import (
    DAY,
    END,
    HOUR,
    MANY,
    MINUTE,
    MOMENTS,
    START,
    ZONE_AGGS,
    asked_range,
    fleet,
)
from tests.services.test_query_retention import drop
from tests.services.test_query_series import plain

KEPT_FROM = date(2026, 5, 29)
"""Of meters; pumps are history, of which nothing was dropped."""
WIDTH_US = {name: minutes * MINUTE for name, minutes in WINDOW_MINUTES.items()}


def gold_of(*names: str) -> list[Table]:
    return [tables[name] for tables in (DEVICE_WINDOWS, ZONE_WINDOWS) for name in names]


class Kept(NamedTuple):
    """A lake after retention."""

    gone: str
    readings: list[Reading]
    queries: TestedQueries

    def __repr__(self) -> str:
        return self.gone


def made(home: Path, readings: list[Reading]) -> TestLake:
    """Return a lake with the gold of devices and zones, all of it final."""
    lake = TestLake(home / "lake")
    lake.land(readings)
    lake.make_gold(END + DAY)
    for name, table in ZONE_WINDOWS.items():
        put(
            lake.root,
            table,
            with_period(windows(readings, WIDTH_US[name], END + DAY, "zone"), name),
        )
    return lake


def with_history(readings: Iterable[Reading]) -> list[Reading]:
    """Have pumps be of the class history."""
    return [
        replace(each, retention_class="history" if each.device.startswith("pump") else "default")
        for each in readings
    ]


@pytest.fixture(scope="module", params=["fine windows", "hours"])
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kept:
    lake = made(tmp_path_factory.mktemp("retention"), with_history(fleet(5)))
    drop(lake.root, gold_of("minute", "five_minutes"), KEPT_FROM)
    if request.param == "hours":
        drop(lake.root, gold_of("hour"), date(2026, 6, 1))
    return Kept(request.param, lake.readings, TestedQueries(lake.root.parent, query_rate=0))


Tiers = list[dict[str, str]]


def tier_of(tiers: Tiers, each: Reading) -> str:
    """Return what a reading was read from: where classes differ, history is in finer windows."""
    names = [
        tier["tier"] for tier in tiers if moment(tier["start"]) <= each.at_us < moment(tier["end"])
    ]
    by_width = sorted(names, key=[*WIDTH_US, "expired"].index)
    return by_width[0 if each.retention_class == "history" else -1]


def moment(text: str) -> int:
    return micros(datetime.fromisoformat(text))


def told(said: dict[str, Any], readings: Iterable[Reading]) -> list[tuple[Reading, int]]:
    """Return the readings that an answer stands for, each with the width of its window."""
    found = [(each, tier_of(said["tiers"], each)) for each in readings]
    assert any(tier["tier"] == "expired" for tier in said["tiers"]) <= said["truncated"]
    return [(each, WIDTH_US[tier]) for each, tier in found if tier != "expired"]


def of_range(kept: Kept, asked: dict[str, Any]) -> list[Reading]:
    return [
        each
        for each in kept.readings
        if (each.tenant, each.metric) == ("default", "kwh")
        and asked["start"] <= each.at_us < asked["end"]
    ]


@MANY
@given(
    bounds=st.tuples(MOMENTS, MOMENTS),
    points=st.one_of(st.integers(1, 40), st.integers(1, 2_000)),
    by=st.sampled_from(["zone", "product"]),
    agg=st.sampled_from(ZONE_AGGS),
)
def test_aggregate_of_dropped_days_is_that_of_the_windows_that_are_left(
    kept: Kept, bounds: tuple[int, int], points: int, by: str, agg: Any
) -> None:
    asked = {"by": by, "metric": "kwh", "points": points, "agg": agg, **asked_range(bounds)}
    said = kept.queries.json("/v1/aggregate", **asked)

    width = int(said["bucket_s"] * 1_000_000)
    groups: dict[tuple[str, str], list[Reading]] = {}
    for each, window in told(said, of_range(kept, asked)):
        if each.value is not None:
            name = each.zone if by == "zone" else each.device.partition(".")[0]
            at = max(each.at_us // window * window // width * width, asked["start"])
            groups.setdefault((name, time_text(at)), []).append(each)
    assert [(point[by], point["time"]) for point in said["points"]] == sorted(groups)
    assert [point["count"] for point in said["points"]] == [len(groups[k]) for k in sorted(groups)]
    expected = [plain(agg, groups[key]) for key in sorted(groups)]
    values = [math.nan if p["value"] is None else p["value"] for p in said["points"]]
    assert values == pytest.approx(expected, rel=1e-9, abs=1e-5, nan_ok=True)


@MANY
@given(
    bounds=st.tuples(MOMENTS, MOMENTS),
    width=st.sampled_from(list(WINDOW_MINUTES)),
    subject=st.sampled_from([("device_id", "meter.m1"), ("zone", "north"), ("zone", "south")]),
)
def test_windows_of_dropped_days_are_the_wider_ones_that_are_left(
    kept: Kept, bounds: tuple[int, int], width: str, subject: tuple[str, str]
) -> None:
    name, value = subject
    asked: dict[str, Any] = {"width": width, "metric": "kwh", "points": 10_000, name: value}
    # Windows that begin in the range are whole, whatever follows it.
    start, end = (bound // WIDTH_US[width] * WIDTH_US[width] for bound in sorted(bounds))
    asked |= {"start": start, "end": max(end, start + WIDTH_US[width])}
    said = kept.queries.json("/v1/windows", **asked)

    mine = [
        each
        for each in of_range(kept, asked)
        if value == (each.device if name == "device_id" else each.zone)
    ]
    expected: dict[tuple[str, str, str], int] = {}
    for each, window in told(said, mine):
        at = each.at_us // window * window
        key = (time_text(at), time_text(at + window), each.device.partition(".")[0])
        expected[key] = expected.get(key, 0) + (each.value is not None)
    found = {(p["window_start"], p["window_end"], p["product"]): p["count"] for p in said["points"]}
    # What holds no value at all is nothing that an answer must declare as expired.
    assert {key: n for key, n in found.items() if n} == {k: n for k, n in expected.items() if n}
    starts = [point["window_start"] for point in said["points"]]
    assert starts == sorted(starts, reverse=True)


@pytest.fixture
def spring(tmp_path: Path) -> TestedQueries:
    """A meter and a pump each quarter of an hour for two days, the meter's minutes dropped."""
    readings = [
        Reading(START + n * HOUR // 4, float(n % 4), seq=n, device=device)
        for device in ("meter.m1", "pump.p1")
        for n in range(2 * 96)
    ]
    lake = made(tmp_path, with_history(readings))
    for table, name in ((DEVICE_SLIDING, "minute"), (SESSIONS, "hour")):
        rows = windows(lake.readings, WIDTH_US["five_minutes"], END, "device_full")
        put(lake.root, table, with_period(rows, name))
    drop(lake.root, [*gold_of("minute", "five_minutes"), DEVICE_SLIDING], KEPT_FROM)
    return TestedQueries(tmp_path, query_rate=0)


def part(tier: str, start: str, end: str, table: str = "") -> dict[str, str]:
    bounds = {"start": f"2026-05-27T{start}:00Z", "end": f"2026-05-27T{end}:00Z"}
    return {"tier": tier, "table": f"gold.{table or f'zone_{tier}'}", **bounds}


def test_products_that_are_kept_for_different_times_keep_what_each_has(
    spring: TestedQueries,
) -> None:
    asked = {"by": "product", "metric": "kwh", "start": START + 8 * HOUR, "agg": "count"}
    said = spring.json("/v1/aggregate", **asked, end=START + 10 * HOUR, points=10_000)
    counts = [(p["product"], p["time"][11:16], p["value"]) for p in said["points"]]
    quarters = [(f"{n // 4:02}:{n % 4 * 15:02}", 1) for n in range(32, 40)]
    assert counts == [
        ("meter", "08:00", 4),
        ("meter", "09:00", 4),
        *(("pump", at, count) for at, count in quarters),
    ]
    assert said["tiers"] == [part("minute", "08:00", "10:00"), part("hour", "08:00", "10:00")]
    assert (said["resolution"], said["truncated"]) == ("hour", False)


def test_part_of_an_hour_that_was_dropped_is_declared(spring: TestedQueries) -> None:
    asked = {"by": "product", "metric": "kwh", "product": "meter", "points": 10_000}
    asked |= {"start": str(START + HOUR // 2), "end": str(START + 3 * HOUR)}
    said = spring.json("/v1/aggregate", **asked)
    expired = part("expired", "00:30", "01:00", "zone_hour")
    assert said["tiers"] == [expired, part("hour", "01:00", "03:00")]
    assert (said["points_in"], said["truncated"]) == (8, True)

    asked = {"width": "minute", "device_id": "meter.m1", "metric": "kwh"}
    asked |= {"start": str(START), "end": str(START + HOUR + HOUR // 4)}
    said = spring.json("/v1/windows", **asked)
    assert [(p["window_start"], p["count"]) for p in said["points"]] == [(time_text(START), 4)]
    tiers = [part("hour", "00:00", "01:00", "device_hour")]
    assert said["tiers"] == [*tiers, part("expired", "01:00", "01:15", "device_hour")]
    assert said["truncated"]


@pytest.mark.parametrize("metric", ["kwh", None])
def test_windows_for_which_no_others_can_stand_in_are_declared(
    spring: TestedQueries, metric: str | None
) -> None:
    asked = {"width": "sliding", "metric": metric, "start": START, "end": START + 2 * HOUR}
    gone = spring.json("/v1/windows", **asked, device_id="meter.m1")
    assert (gone["points"], gone["truncated"]) == ([], True)
    assert gone["tiers"] == [part("expired", "00:00", "02:00", "device_hour")]
    there = spring.json("/v1/windows", **asked, device_id="pump.p1")
    assert (there["points_in"], there["truncated"], there["resolution"]) == (8, False, "sliding")
    asked["width"] = "sessions"
    kept = spring.json("/v1/windows", **asked, device_id="meter.m1")
    assert (kept["points_in"], kept["truncated"]) == (8, False)


@pytest.mark.parametrize("zone", ["north", "nowhere"])
def test_range_before_the_first_reading_has_not_expired(spring: TestedQueries, zone: str) -> None:
    asked = {"metric": "kwh", "start": START - 3 * DAY - HOUR // 2, "end": START}
    for path, more in (("/v1/windows", {"width": "minute"}), ("/v1/aggregate", {"by": "zone"})):
        said = spring.json(path, **asked, **more, zone=zone)
        assert (said["points_in"], said["truncated"]) == (0, False)
        assert "expired" not in {tier["tier"] for tier in said["tiers"]}


def test_answer_follows_when_retention_drops_more(spring: TestedQueries) -> None:
    asked = {"by": "zone", "metric": "kwh", "agg": "count", "points": 1}
    asked |= {"start": str(START + 8 * HOUR), "end": str(START + 9 * HOUR)}
    assert spring.json("/v1/aggregate", **asked)["truncated"] is False
    drop(Path(spring.settings.lake_root), gold_of("hour"), date(2026, 6, 1))
    said = spring.json("/v1/aggregate", **asked)
    assert (said["truncated"], said["points_in"]) == (True, 4)
