"""The OpenAPI document and the service agree, and the client speaks it."""

import asyncio
from typing import Any

import httpx
import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from services.query.client import Queries, QueryError
from tests.services.query_lake import Reading, TestLake, numbered
from tests.services.query_parts import TestedQueries
from tests.services.test_query_service import ASKED, HOUR, START


@pytest.fixture(scope="module")
def queries(tmp_path_factory: pytest.TempPathFactory) -> TestedQueries:
    home = tmp_path_factory.mktemp("document")
    lake = TestLake(home / "lake")
    lake.land(numbered(Reading(START + n * HOUR // 4, float(n)) for n in range(96)))
    lake.make_gold(START + 20 * HOUR)
    return TestedQueries(home, query_rate=0.0)


PATHS = (
    "/v1/query",
    "/v1/latest",
    "/v1/devices/{device_id}/metrics",
    "/v1/aggregate",
    "/v1/windows",
    "/v1/devices",
    "/v1/zones",
    "/v1/live",
    "/health",
)


def test_document_has_no_other_path(queries: TestedQueries) -> None:
    assert set(queries.app.openapi()["paths"]) == set(PATHS)


@pytest.mark.parametrize("path", sorted(set(PATHS) - {"/health"}))
def test_every_path_has_examples_that_fit_what_it_says(path: str, queries: TestedQueries) -> None:
    document = queries.app.openapi()
    way = document["paths"][path]["get"]
    for parameter in way["parameters"]:
        assert "example" in parameter or not parameter["required"], parameter["name"]
    (content,) = [each for each in way["responses"]["200"]["content"].values() if "example" in each]
    schema = {**content["schema"], "components": document["components"]}
    jsonschema_rs.validate(schema, content["example"])
    for status in ("401", "403", "422", "429"):
        problem = way["responses"][status]["content"]["application/problem+json"]
        assert problem["example"]["status"] == int(status)


def test_what_is_not_believed_is_told_apart_from_nothing(queries: TestedQueries) -> None:
    assert "is needed" in queries.ask("/v1/zones", key="").json()["detail"]
    assert "not believed" in queries.ask("/v1/zones", key="hw_x.y").json()["detail"]


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_is_as_the_document_says(path: str, queries: TestedQueries) -> None:
    operation = schemathesis.openapi.from_asgi("/openapi.json", queries.app)[path]["GET"]
    key = {"Authorization": f"Bearer {queries.local_key}"}

    @settings(
        max_examples=40,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def hold(case: "schemathesis.Case[Any]") -> None:
        if path == "/v1/live":
            case.query["follow"] = "false"
        # That an end is after its start, say, is in no schema.
        case.call_and_validate(headers=key, excluded_checks=[positive_data_acceptance])

    hold()


class InProcess(httpx.BaseTransport):
    """Hands a client's requests to the application."""

    def __init__(self, queries: TestedQueries) -> None:
        self._app = httpx.ASGITransport(queries.app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return asyncio.run(self._answer(request))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        answer = await self._app.handle_async_request(request)
        return httpx.Response(
            answer.status_code, headers=answer.headers, content=await answer.aread()
        )


@pytest.fixture
def client(queries: TestedQueries) -> Queries:
    return Queries("http://query", queries.local_key, transport=InProcess(queries))


def test_client_returns_frames(client: Queries) -> None:
    asked = {name: ASKED[name] for name in ("start", "end")}
    by_polars = client.polars("meter.m1", "kwh", **asked)
    by_pandas = client.pandas("meter.m1", "kwh", **asked)
    assert by_polars["value"].to_list() == [float(n) for n in range(96)]
    assert by_pandas["value"].tolist() == by_polars["value"].to_list()
    assert by_pandas.attrs["points_in"] == 96
    assert str(by_pandas.index.tz) == "UTC"  # type: ignore[attr-defined]


def test_client_says_why_it_was_refused(client: Queries) -> None:
    with pytest.raises(QueryError, match="is no time") as refused:
        client.series("meter.m1", "kwh", start="soon", end="later")
    assert refused.value.status == 422
