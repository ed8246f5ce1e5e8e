"""Windows that hold numbers and texts: what is left out is declared, from windows as from raw."""

import pytest

from services.query.statistics import Agg
from telemetry.tables import WINDOW_MINUTES, ZONE_WINDOWS
from tests.services.query_lake import Reading, TestLake, numbered, put, windows, with_period
from tests.services.query_parts import TestedQueries
from tests.services.test_query_series import DAY, HOUR, MINUTE, START

CHANGED = START + 2 * DAY + 12 * HOUR + 30 * MINUTE
NUMBERS = 750
"""Numbers of the third day."""


@pytest.fixture(scope="module")
def queries(tmp_path_factory: pytest.TempPathFactory) -> TestedQueries:
    """A reading each minute of five days: a number, and a text from within an hour of the third."""
    lake = TestLake(tmp_path_factory.mktemp("both") / "lake")
    times = range(START, START + 5 * DAY, MINUTE)
    lake.land(numbered(Reading(at, 10.0 if at < CHANGED else "x") for at in times))
    lake.make_gold(START + 6 * DAY)
    for name, table in ZONE_WINDOWS.items():
        of_zones = windows(lake.readings, WINDOW_MINUTES[name] * MINUTE, START + 6 * DAY, "zone")
        put(lake.root, table, with_period(of_zones, name))
    return TestedQueries(lake.root.parent, query_rate=0)


@pytest.mark.parametrize(
    ("days", "kind", "values"),
    [((0, 3), "number", [1440, 1440, NUMBERS]), ((2, 5), "text", [1440 - NUMBERS, 1440, 1440]),
     ((2, 4), "text", [1440 - NUMBERS, 1440])],
)  # fmt: skip
def test_counts_are_of_one_kind_and_the_rest_is_declared(
    queries: TestedQueries, days: tuple[int, int], kind: str, values: list[int]
) -> None:
    start, end = (START + day * DAY for day in days)
    said = queries.json(
        "/v1/query", device_id="meter.m1", metric="kwh", start=start, end=end,
        points=len(values), agg="count",
    )  # fmt: skip
    assert said["resolution"] == ("raw" if len(values) == 2 else "day")
    assert [point["value"] for point in said["points"]] == values
    assert (said["type"], said["points_in"], said["truncated"]) == (kind, sum(values), True)


def test_extremes_of_a_range_of_both_kinds_are_declared(queries: TestedQueries) -> None:
    said = queries.json(
        "/v1/query", device_id="meter.m1", metric="kwh", start=START, end=START + 3 * DAY, points=6
    )
    assert (said["type"], said["resolution"], said["truncated"]) == ("number", "day", True)


@pytest.mark.parametrize(("agg", "value"), [("mean", 10.0), ("sum", 10.0 * NUMBERS)])
def test_count_of_a_zone_is_of_the_numbers_of_its_value(
    queries: TestedQueries, agg: Agg, value: float
) -> None:
    asked = {"by": "zone", "metric": "kwh", "start": START, "points": 1, "agg": agg}
    said = queries.json("/v1/aggregate", **asked, end=START + 3 * DAY)
    before = 2 * 1440 * (10.0 if agg == "sum" else 0.0)
    (point,) = said["points"]
    assert (point["value"], point["count"]) == (before + value, 2 * 1440 + NUMBERS)
    assert (said["points_in"], said["truncated"]) == (2 * 1440 + NUMBERS, True)
    day = queries.json("/v1/aggregate", **{**asked, "start": START + 2 * DAY}, end=START + 3 * DAY)
    assert (day["points"][0]["count"], day["truncated"]) == (NUMBERS, True)
