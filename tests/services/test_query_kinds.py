"""Series whose readings changed their kind, gaps between few readings, and the fewest points."""

import math
from pathlib import Path
from typing import Any

import pytest

from services.query.answering import Answer, Question, answered
from services.query.pieces import Pieces
from services.query.reading import Lake
from services.query.statistics import Agg, width_for
from services.query.times import micros, time_text
from telemetry.tables import WINDOW_MINUTES, ZONE_WINDOWS
from tests.services.query_lake import Reading, TestLake, numbered, put, windows, with_period
from tests.services.query_parts import NOW, TestedQueries
from tests.services.test_query_bounds import ROOM
from tests.services.test_query_series import DAY, HOUR, MINUTE, START
from tests.services.test_query_service import ASKED

CHANGED = START + 4 * DAY
END = START + 6 * DAY


@pytest.fixture
def changed(tmp_path: Path) -> Lake:
    """Numbers for four days, then texts for two: the product's schema was replaced."""
    made = TestLake(tmp_path / "lake")
    rows = [Reading(START + n * HOUR, float(n)) for n in range(4 * 24)]
    rows += [Reading(CHANGED + n * HOUR, "high") for n in range(2 * 24)]
    made.land(numbered(rows))
    made.make_gold(END)
    return Lake(str(made.root), Pieces(1 << 20))


def ask(tables: Lake, start_us: int, end_us: int, points: int, agg: Agg | None = None) -> Answer:
    asked = Question("default", "meter.m1", "kwh", start_us, end_us, points, agg)
    return answered(tables, lambda *_: END, asked)


@pytest.mark.parametrize("agg", [None, "mean", "sum", "count"])
@pytest.mark.parametrize("days", [0.5, 6])
def test_readings_of_another_kind_are_left_out_and_that_is_said(
    changed: Lake, agg: Agg | None, days: float
) -> None:
    start, end = CHANGED - int(days / 3 * 2 * DAY), CHANGED + int(days / 3 * DAY)
    answer = ask(changed, start, end, 12, agg)
    assert (answer.kind, answer.points_in) == ("number", days * 24 // 3 * 2)
    assert answer.truncated
    assert all(math.isfinite(value) for value in answer.points.values.tolist())
    assert max(answer.points.times.tolist()) < CHANGED


def test_ranges_of_one_kind_are_whole(changed: Lake) -> None:
    for start, end, kind, count in ((START, CHANGED, "number", 96), (CHANGED, END, "text", 48)):
        answer = ask(changed, start, end, 20)
        assert (answer.kind, answer.points_in, answer.truncated) == (kind, count, False)


def test_long_range_without_readings_has_no_last_text(changed: Lake) -> None:
    answer = ask(changed, START - 90 * DAY, START, 20)
    assert (answer.kind, answer.method, answer.points_in) == ("none", "minmax", 0)


@pytest.fixture
def mixed(tmp_path: Path) -> TestedQueries:
    """One metric: in a zone numbers of meters and texts of pumps, in another texts alone."""
    lake = TestLake(tmp_path / "lake")
    rows = [Reading(START + n * MINUTE, 10.0 + n % 2, metric="state") for n in range(10)]
    rows += [
        Reading(START + n * MINUTE, "on", metric="state", device="pump.p1", zone=zone)
        for n in range(30)
        for zone in ("north", "south")
    ]
    lake.land(numbered(rows))
    for name, table in ZONE_WINDOWS.items():
        of_zones = windows(lake.readings, WINDOW_MINUTES[name] * MINUTE, END, "zone")
        put(lake.root, table, with_period(of_zones, name))
    return TestedQueries(tmp_path)


@pytest.mark.parametrize(
    ("agg", "value", "count"),
    [("mean", 10.5, 10), ("stddev", math.sqrt(2.5 / 9), 10), ("sum", 105.0, 10),
     ("max", 11.0, 10), ("count", 40.0, 40)],
)  # fmt: skip
def test_numbers_of_a_zone_are_not_weighed_with_the_texts_of_another_product(
    mixed: TestedQueries, agg: str, value: float, count: int
) -> None:
    asked = {"by": "zone", "metric": "state", "start": START, "end": START + HOUR, "points": 1}
    said = mixed.json("/v1/aggregate", **asked, agg=agg)
    north, south = said["points"]
    assert (north["value"], north["count"]) == (pytest.approx(value), count)
    assert (south["value"], south["count"]) == (30.0 if agg == "count" else None, 30)
    # The texts in the north are left out of its numbers, and the answer says so.
    assert (said["truncated"], said["points_in"]) == (agg != "count", 30 + count)


@pytest.fixture
def sparse(tmp_path: Path) -> TestedQueries:
    """A reading each five minutes of a day but for four hours; three of another metric."""
    lake = TestLake(tmp_path / "lake")
    start = micros(NOW) - DAY
    rows = [Reading(start + n * 5 * MINUTE, float(n)) for n in range(288) if not 96 <= n < 144]
    rows += [Reading(start + n, 1.0, metric="v") for n in (HOUR, 9 * HOUR, 9 * HOUR + MINUTE)]
    lake.land(numbered(rows))
    return TestedQueries(tmp_path)


def gaps(said: dict[str, Any]) -> list[str]:
    return [point["time"][11:16] for point in said["points"] if point["value"] is None]


def test_gap_between_few_readings_is_told_where_it_is_asked_for(sparse: TestedQueries) -> None:
    said = sparse.json("/v1/query", **ASKED, fill="null")
    assert (said["method"], said["points_in"], said["points_out"]) == ("raw", 240, 241)
    assert gaps(said) == ["09:57"]
    assert gaps(sparse.json("/v1/query", **ASKED)) == []
    # The least number of points that has room for the gap, and one less.
    assert sparse.json("/v1/query", **ASKED, fill="null", points=241)["method"] == "raw"
    few = sparse.json("/v1/query", **ASKED, fill="null", points=240)
    assert few["method"] == "minmax"
    assert few["points_out"] <= 240


def test_three_readings_have_no_usual_distance_to_miss(sparse: TestedQueries) -> None:
    said = sparse.json("/v1/query", **{**ASKED, "metric": "v"}, fill="null")
    assert [point["value"] for point in said["points"]] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("days", [2, 5])
def test_days_on_which_nobody_spoke_are_not_taken_for_dropped_ones(
    tmp_path: Path, days: int
) -> None:
    """Readings of two days apart, as a file has them; nobody says that they are final."""
    made = TestLake(tmp_path / "lake")
    said = [START + day * DAY + n * HOUR for day in (0, 4) for n in range(24)]
    made.land(numbered(Reading(at, float(n)) for n, at in enumerate(said)))
    made.make_gold(0)
    asked = Question("default", "meter.m1", "kwh", START, START + days * DAY, 48)
    answer = answered(Lake(str(made.root), Pieces(1 << 20)), lambda *_: None, asked)
    assert [span.tier.name for span in answer.spans] == ["raw"]
    assert (answer.resolution, answer.method, answer.truncated) == ("raw", "raw", False)
    assert answer.points.times.tolist() == [at for at in said if at < START + days * DAY]


def test_one_point_is_one_bucket_and_needs_an_aggregate(sparse: TestedQueries) -> None:
    said = sparse.json("/v1/query", **ASKED, points=1, agg="count")
    (point,) = said["points"]
    assert (point["time"], point["value"]) == (said["start"], 240)
    refused = sparse.ask("/v1/query", **ASKED, points=1)
    assert refused.status_code == 422
    assert "needs agg" in refused.json()["errors"][0]["reason"]


@pytest.fixture
def early(tmp_path: Path) -> TestedQueries:
    """A reading each hour of sixty hours before 1970, and of sixty after."""
    lake = TestLake(tmp_path / "lake")
    lake.land(numbered(Reading(n * HOUR, float(n)) for n in range(-60, 60)))
    lake.make_gold(90 * DAY)
    for name, table in ZONE_WINDOWS.items():
        rows = windows(lake.readings, WINDOW_MINUTES[name] * MINUTE, 90 * DAY, "zone")
        put(lake.root, table, with_period(rows, name))
    return TestedQueries(tmp_path)


@pytest.mark.parametrize(("days", "count"), [(1, 48), (40, 120)])
def test_one_bucket_is_not_parted_by_1970(early: TestedQueries, days: int, count: int) -> None:
    start, end = time_text(-days * DAY), time_text(days * DAY)
    asked = {"metric": "kwh", "start": start, "end": end, "points": 1, "agg": "count"}
    for path, named in (("query", {"device_id": "meter.m1"}), ("aggregate", {"by": "zone"})):
        said = early.json(f"/v1/{path}", **asked, **named)
        found = [(point["time"], point["value"]) for point in said["points"]]
        assert found == [(said["start"], count)], path
        assert (said["points_in"], said["points_out"], said["truncated"]) == (count, 1, False)


def test_a_range_of_microseconds_has_no_bucket_without_width(tmp_path: Path) -> None:
    made = TestLake(tmp_path / "lake")
    made.land(numbered(Reading(START + n % 3, float(n)) for n in range(30)))
    asked = Question("default", "meter.m1", "kwh", START, START + 3, 20, fill="null")
    answer = answered(Lake(str(made.root), Pieces(1 << 20)), lambda *_: None, asked)
    times, values = answer.points.times.tolist(), answer.points.values.tolist()
    told = [(START, 0.0), (START, 27.0), (START + 1, 1.0), (START + 1, 28.0), (START + 2, 2.0),
            (START + 2, 29.0)]  # fmt: skip
    assert sorted(zip(times, values, strict=True)) == told
    assert (answer.points_in, answer.bucket_us) == (30, 1)


def test_a_gap_shows_where_several_readings_have_one_time(tmp_path: Path) -> None:
    made = TestLake(tmp_path / "lake")
    start = micros(NOW) - DAY
    minutes = [*range(10), *range(20, 30)]
    made.land(numbered(Reading(start + n * MINUTE, float(n)) for n in minutes for _ in range(2)))
    said = TestedQueries(tmp_path).json("/v1/query", **ASKED, fill="null")
    assert (said["method"], said["points_in"]) == ("raw", 40)
    assert gaps(said) == ["00:14"]


@pytest.mark.parametrize(
    ("fill", "expected"),
    [("previous", [None, 2, 2, 2, 2, 8, 8]), ("linear", [None, 2, 3.5, 5, 6.5, 8, None]),
     ("null", [None, 2, None, None, None, 8, None])],
)  # fmt: skip
def test_a_bucket_whose_value_is_none_is_filled_like_an_empty_one(
    tmp_path: Path, fill: str, expected: list[float | None]
) -> None:
    """The deviation of the one reading in the fourth hour is none."""
    made = TestLake(tmp_path / "lake")
    start = micros(NOW) - DAY
    told = [(1, 0.0), (1, 2.0), (1, 4.0), (3, 9.0), (5, 0.0), (5, 8.0), (5, 16.0)]
    made.land(numbered(Reading(start + hour * HOUR, value) for hour, value in told))
    said = TestedQueries(tmp_path).json("/v1/query", **ASKED, points=24, agg="stddev", fill=fill)
    assert [point["value"] for point in said["points"]][:7] == pytest.approx(expected)


@pytest.mark.parametrize("points", [2, 3, 10])
def test_longest_range_has_no_more_buckets_than_points(points: int) -> None:
    start, end = -70 * 365 * DAY, 230 * 365 * DAY
    width = width_for(start, end, points)
    assert (end - 1) // width - start // width < points


def test_counts_on_a_line_between_two_are_no_whole_numbers(sparse: TestedQueries) -> None:
    asked = {**ASKED, "metric": "v", "agg": "count", "points": 24}
    line = [point["value"] for point in sparse.json("/v1/query", **asked, fill="linear")["points"]]
    assert line[1:10] == [1 + n / 8 for n in range(9)]
    assert line[0] is line[10] is None
    plain = [point["value"] for point in sparse.json("/v1/query", **asked)["points"]]
    assert (plain, [type(value) for value in plain]) == ([1, 2], [int, int])


@pytest.mark.parametrize("agg", [None, "max"])
def test_what_was_not_read_is_no_gap_and_is_not_filled(tmp_path: Path, agg: str | None) -> None:
    made = TestLake(tmp_path / "lake")
    start = micros(NOW) - DAY
    made.land(numbered(Reading(start + n * 15 * MINUTE, float(n)) for n in range(96)), files=12)
    queries = TestedQueries(tmp_path, most_raw_rows=ROOM)
    fill = "previous" if agg else "null"
    said = queries.json("/v1/query", **ASKED, agg=agg, fill=fill, points=20)
    end = said["tiers"][-1]["end"]
    assert said["truncated"]
    assert time_text(start + DAY) > end > said["points"][-1]["time"]
