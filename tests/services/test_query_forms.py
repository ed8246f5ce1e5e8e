"""Forms of an answer: JSON, CSV and Arrow say the same; one that is still so; the head alone."""

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response

from services.problems import FAILED, answer_problems
from services.query.accepting import accepted
from telemetry.tables import DEVICES, WINDOW_MINUTES, ZONE_WINDOWS
from tests.services.query_lake import Reading, TestLake, numbered, put, windows, with_period
from tests.services.query_parts import TestedQueries
from tests.services.test_query_service import HOUR, RANGE, START

ODD = 'öl, "x"\n=1+1 😀'
FINAL = START + 20 * HOUR
ROUTES: dict[str, dict[str, Any]] = {
    "/v1/query": {"device_id": "meter.m1", "metric": "kwh", **RANGE},
    "/v1/query#texts": {"device_id": "meter.m1", "metric": "state", **RANGE},
    "/v1/query#truths": {"device_id": "meter.m1", "metric": "open", **RANGE},
    "/v1/query#gaps": {"device_id": "meter.m1", "metric": "kwh", "agg": "sum", "fill": "null",
                       "points": 40, **RANGE},
    "/v1/query#line": {"device_id": "meter.m1", "metric": "kwh", "agg": "count", "fill": "linear",
                       "points": 40, **RANGE},
    "/v1/query#nothing": {"device_id": ODD, "metric": "kwh", **RANGE},
    "/v1/latest": {},
    "/v1/latest#nothing": {"zone": "none"},
    "/v1/devices/meter.m1/metrics": {},
    "/v1/aggregate": {"by": "zone", "metric": "kwh", "agg": "stddev", **RANGE},
    "/v1/aggregate#nothing": {"by": "zone", "metric": ODD, **RANGE},
    "/v1/windows": {"width": "hour", "device_id": "meter.m1", **RANGE},
    "/v1/windows#zone": {"width": "minute", "zone": "north", "points": 20, **RANGE},
    "/v1/windows#nothing": {"width": "hour", "device_id": "meter.none", **RANGE},
    "/v1/windows#sessions": {"width": "sessions", "device_id": "meter.m1", **RANGE},
    "/v1/devices": {},
    "/v1/devices#nothing": {"zone": "none"},
    "/v1/zones": {},
}  # fmt: skip


@pytest.fixture(scope="module")
def queries(tmp_path_factory: pytest.TempPathFactory) -> TestedQueries:
    home = tmp_path_factory.mktemp("forms")
    lake = TestLake(home / "lake")
    rows = [Reading(START + n * HOUR, [1.5, None, 1e308, -0.0][n % 4]) for n in range(24)]
    rows += [Reading(START + n * HOUR + 1, 1e308) for n in range(2, 24, 4)]
    rows += [Reading(START + n * HOUR, ODD, metric="state") for n in range(3)]
    rows += [Reading(START + n * HOUR, n % 2 == 0, metric="open") for n in range(4)]
    lake.land(numbered(rows))
    lake.make_gold(FINAL)
    for name, table in ZONE_WINDOWS.items():
        found = windows(lake.readings, WINDOW_MINUTES[name] * 60_000_000, FINAL, "zone")
        put(lake.root, table, with_period(found, name))
    stands = {"zone": "north", "lat": 48.1, "lng": 11.5, "product": "meter"}
    put(lake.root, DEVICES, [{"tenant": "default", "device_full": "meter.m1", **stands}])
    return TestedQueries(home, query_rate=0.0)


def one_value(row: dict[str, Any], name: str, *columns: str) -> None:
    """Put the value of several columns, one for each type, into one as JSON has it."""
    values = [row.pop(column) for column in columns]
    row[name] = next((value for value in values if value is not None), None)


def as_json(path: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a table's rows as JSON says them."""
    for row in rows:
        for name, value in row.items():
            if hasattr(value, "isoformat"):
                row[name] = value.isoformat().replace("+00:00", "Z")
        if path in ("/v1/latest", "/v1/devices/meter.m1/metrics"):
            one_value(row, "value", "number", "text", "truth")
        if path == "/v1/windows":
            for end in ("first", "last"):
                one_value(row, end, end, f"{end}_text", f"{end}_bool")
    return rows


@pytest.mark.parametrize("route", ROUTES)
def test_forms_say_the_same(route: str, queries: TestedQueries) -> None:
    path, asked = route.partition("#")[0], ROUTES[route]
    said = queries.json(path, **asked)
    points = said.pop("points")
    assert bool(points) != (route.endswith(("#nothing", "#sessions")))

    arrow = queries.ask(path, **asked, format="arrow")
    table = pa.ipc.open_stream(arrow.content).read_all()
    assert json.loads(table.schema.metadata[b"headwater"]) == said
    assert as_json(path, table.to_pylist()) == points
    assert not any(pa.types.is_null(field.type) for field in table.schema)
    assert "device_full" not in table.column_names

    by_csv = queries.ask(path, **asked, format="csv")
    assert json.loads(by_csv.headers["Headwater-Answer"]) == said
    kinds = {f.name: pl.DataFrame(table).schema[f.name] for f in table.schema}
    texts = {name: pl.String() if kind == pl.Datetime else kind for name, kind in kinds.items()}
    rows = pl.read_csv(io.BytesIO(by_csv.content), schema=texts)
    assert as_json(path, rows.to_dicts()) == points


@pytest.mark.parametrize("route", ROUTES)
def test_every_answer_declares_how_it_came_to_be(route: str, queries: TestedQueries) -> None:
    said = queries.json(route.partition("#")[0], **ROUTES[route])
    declared = {"resolution", "method", "points_in", "points_out", "tiers", "truncated"}
    assert declared | {"complete_until"} <= said.keys()
    assert said["points_out"] == len(said["points"])
    assert said["tiers"]


@pytest.mark.parametrize("form", ["json", "csv", "arrow"])
def test_longest_names_that_devices_have_are_asked_for(tmp_path: Path, form: str) -> None:
    device, metric = f"{'p' * 128}.{'d' * 128}", "ö" * 700
    TestLake(tmp_path / "lake").land([Reading(START, 1.5, device=device, metric=metric)])
    queries = TestedQueries(tmp_path)
    asked = {"device_id": device, "metric": metric, **RANGE, "format": form}
    assert queries.ask("/v1/query", **asked).is_success
    assert queries.ask(f"/v1/devices/{device}/metrics", format=form).is_success


def test_header_says_letters_of_any_language(queries: TestedQueries) -> None:
    answer = queries.ask("/v1/query", **ROUTES["/v1/query#nothing"], format="csv")
    assert answer.headers["Headwater-Answer"].isascii()
    assert json.loads(answer.headers["Headwater-Answer"])["device_id"] == ODD


@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("", "json"),
        ("*/*", "json"),
        ("text/html, application/xhtml+xml, */*;q=0.8", "json"),
        ("text/csv", "csv"),
        ("text/csv, */*", "csv"),
        ("text/csv; q=0.5, application/json", "json"),
        ("application/json; q=0.5, text/csv", "csv"),
        ("application/json;q=0, */*;q=0.1", "csv"),
        ("TEXT/CSV;charset=utf-8", "csv"),
        ("text/*", "csv"),
        ("application/vnd.apache.arrow.stream, application/json;q=0.9", "arrow"),
        ("application/json, text/csv", "json"),
        ("application/xml", "json"),
        ("text/csv;q=x", "csv"),
        (",;,", "json"),
    ],
)
def test_form_is_the_one_that_is_liked_best(header: str, form: str) -> None:
    assert accepted(header) == form


@pytest.mark.parametrize("route", ["/v1/query", "/v1/latest", "/v1/aggregate", "/v1/windows"])
def test_answer_that_is_still_so_is_not_sent_again(route: str, queries: TestedQueries) -> None:
    first = queries.ask(route, **ROUTES[route])
    tag = first.headers["ETag"]
    for named in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = queries.ask(route, **ROUTES[route], headers={"If-None-Match": named})
        assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    other = queries.ask(route, **ROUTES[route], headers={"If-None-Match": '"other"'})
    assert (other.status_code, other.content) == (200, first.content)
    as_csv = queries.ask(route, **ROUTES[route], headers={"Accept": "text/csv"})
    assert as_csv.headers["ETag"] != tag
    assert "Accept" in as_csv.headers["Vary"]


def test_answer_that_changed_has_another_tag(tmp_path: Path) -> None:
    lake = TestLake(tmp_path / "lake")
    lake.land([Reading(START, 1.0)])
    tested = TestedQueries(tmp_path)
    asked = ROUTES["/v1/query"]
    tag = tested.ask("/v1/query", **asked).headers["ETag"]
    lake.land([Reading(START + 1, 2.0, seq=1)])
    answer = tested.ask("/v1/query", **asked, headers={"If-None-Match": tag})
    assert (answer.status_code, answer.json()["points_in"]) == (200, 2)


def sent(app: FastAPI, method: str, path: str, **more: Any) -> Response:
    """Send a request to an application; what it fails at it may say itself."""

    async def send() -> Response:
        transport = ASGITransport(app, raise_app_exceptions=False)
        async with AsyncClient(transport=transport, base_url="http://query") as client:
            return await client.request(method, path, **more)

    return asyncio.run(send())


@pytest.mark.parametrize("path", ["/v1/latest", "/v1/zones", "/health", "/live", "/v1/none"])
def test_head_is_that_of_get_without_its_content(path: str, queries: TestedQueries) -> None:
    key = {"Authorization": f"Bearer {queries.local_key}"}
    whole, head = (sent(queries.app, method, path, headers=key) for method in ("GET", "HEAD"))
    assert whole.content
    assert (head.status_code, head.content) == (whole.status_code, b"")
    assert head.headers == whole.headers


def test_stream_has_no_head(queries: TestedQueries) -> None:
    key = {"Authorization": f"Bearer {queries.local_key}"}
    asked = {"zone": "north"}
    assert sent(queries.app, "HEAD", "/v1/live", params=asked, headers=key).status_code == 405


@pytest.mark.parametrize(
    ("path", "allowed"), [("/v1/query", "GET, HEAD"), ("/health", "GET, HEAD"), ("/v1/live", "GET")]
)
def test_refused_method_is_told_those_that_there_are(
    path: str, allowed: str, queries: TestedQueries
) -> None:
    answer = sent(queries.app, "POST", path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_a_slash_too_many_leads_nowhere(queries: TestedQueries) -> None:
    answer = queries.ask("/v1/zones/")
    assert (answer.status_code, answer.json()["title"]) == (404, "Not Found")


def test_failure_is_a_problem_too() -> None:
    app = FastAPI()
    answer_problems(app)

    @app.get("/")
    def fail() -> None:
        raise ZeroDivisionError("of ours")

    answer = sent(app, "GET", "/")
    assert (answer.status_code, answer.json()["detail"]) == (500, FAILED)
    assert answer.headers["Content-Type"] == "application/problem+json"
