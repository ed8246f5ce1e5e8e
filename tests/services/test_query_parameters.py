"""Parameters that a route does not have are refused by name, on every route alike."""

from typing import Any

import pytest

from services.problems import Problem
from services.query.asked import time_of
from services.query.parameters import MOST_FAULTS, refuse_unknown
from services.query.routes.live import LiveIn
from tests.services.query_parts import TestedQueries
from tests.services.test_query_service import ASKED, RANGE

ROUTES: dict[str, dict[str, Any]] = {
    "/v1/query": ASKED,
    "/v1/latest": {},
    "/v1/devices/{device_id}/metrics": {},
    "/v1/aggregate": {"by": "zone", "metric": "kwh", **RANGE},
    "/v1/windows": {"width": "minute", "device_id": "meter.m1"},
    "/v1/devices": {},
    "/v1/zones": {},
    "/v1/live": {"zone": "north", "follow": "false"},
}


@pytest.fixture(scope="module")
def queries(tmp_path_factory: pytest.TempPathFactory) -> TestedQueries:
    return TestedQueries(tmp_path_factory.mktemp("parameters"), query_rate=0.0)


@pytest.mark.parametrize("path", ROUTES)
def test_parameter_that_no_route_has_is_named_with_the_nearest(
    path: str, queries: TestedQueries
) -> None:
    url = path.format(device_id="meter.m1")
    assert queries.ask(url, **ROUTES[path], tenant="default").is_success
    answer = queries.ask(url, **ROUTES[path], tennant="default")
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    (fault,) = answer.json()["errors"]
    assert fault["where"] == "query.tennant"
    assert "'tenant'" in fault["reason"]
    assert fault["reason"] in answer.json()["detail"]


def test_every_route_that_takes_a_key_is_tried(queries: TestedQueries) -> None:
    assert set(queries.app.openapi()["paths"]) == {*ROUTES, "/health"}


@pytest.mark.parametrize("path", ROUTES)
def test_all_that_the_document_lists_is_known(path: str, queries: TestedQueries) -> None:
    listed = queries.app.openapi()["paths"][path]["get"]["parameters"]
    names = {each["name"] for each in listed if each["in"] == "query"}
    url = path.format(device_id="meter.m1")
    reason = queries.ask(url, **ROUTES[path], zzz=1).json()["errors"][0]["reason"]
    assert reason == f"there is no such parameter; there are {', '.join(sorted(names))}"
    if path == "/v1/live":  # whose WebSocket takes the same
        assert set(LiveIn.model_fields) == names


def test_misspelt_name_is_told_before_the_one_that_is_missing(queries: TestedQueries) -> None:
    asked = {name: value for name, value in ASKED.items() if name != "metric"}
    assert "'metric'" in queries.ask("/v1/query", **asked, metirc="kwh").json()["detail"]


def test_name_within_the_code_is_not_one_of_the_service(queries: TestedQueries) -> None:
    assert "'format'" in queries.ask("/v1/query", **ASKED, form="csv").json()["detail"]


def test_key_comes_first(queries: TestedQueries) -> None:
    assert queries.ask("/v1/latest", key="", nonsense=1).status_code == 401


def test_flood_of_names_is_answered_with_the_first() -> None:
    with pytest.raises(Problem) as refused:
        refuse_unknown((f"a{n}" for n in range(10**9)), {"zone"})
    assert len(refused.value.errors) == MOST_FAULTS


def test_parameter_that_is_given_twice_is_refused(queries: TestedQueries) -> None:
    answer = queries.ask("/v1/latest?metric=kwh&metric=v&zone=a")
    assert answer.status_code == 422
    assert answer.json()["detail"] == "query.metric: is given twice"


@pytest.mark.parametrize(
    "text",
    [
        "2026-06-01T01:30:00Z",
        "2026-06-01t01:30:00z",
        "2026-06-01 01:30:00Z",
        "2026-06-01T03:30:00+02:00",
        "2026-06-01T03:30:00 02:00",
        "2026-06-01 03:30:00 02:00",
        "2026-05-31T20:00:00-05:30",
        "2026-06-01T01:30:00.000000000Z",
        "1780277400000000",
        "1780277400",
        "1780277400000",
        "1780277400000000000",
    ],
)
def test_time_is_taken_in_every_way_that_names_a_zone(text: str) -> None:
    assert time_of(text, "query.start") == 1_780_277_400_000_000


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("0", 0),
        ("-1", -1),
        ("60000000", 60_000_000),
        ("946684800000000", 946_684_800_000_000),
        ("1780277400123", 1_780_277_400_123_000),
        ("1780277400123456789", 1_780_277_400_123_456),
        ("-1780277400", -1_780_277_400_000_000),
    ],
)
def test_unit_of_whole_numbers_is_told_by_their_digits(text: str, micros: int) -> None:
    assert time_of(text, "query.start") == micros


@pytest.mark.parametrize("text", ["2026-06-01", "2026-06-01 01:30", "2026-06-01T01:30:00", "now"])
def test_time_without_a_zone_is_none(text: str) -> None:
    with pytest.raises(Problem, match=r"query\.start"):
        time_of(text, "query.start")


def test_range_of_windows_that_has_one_end_is_a_day_long(queries: TestedQueries) -> None:
    asked = {"width": "minute", "device_id": "meter.m1"}
    for given, expected in (
        ({}, ("2026-05-31T00:00:00Z", "2026-06-02T00:00:00Z")),
        ({"end": "2020-01-02T00:00:00Z"}, ("2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z")),
        ({"start": "2026-01-01T00:00:00Z"}, ("2026-01-01T00:00:00Z", "2026-06-02T00:00:00Z")),
        ({"start": "2100-01-01T00:00:00Z"}, ("2100-01-01T00:00:00Z", "2100-01-02T00:00:00Z")),
    ):
        said = queries.json("/v1/windows", **asked, **given)
        assert (said["start"], said["end"]) == expected


def test_browser_that_asks_for_an_icon_is_told_that_there_is_none(queries: TestedQueries) -> None:
    assert queries.ask("/favicon.ico", key="").status_code == 204
