"""The client of the query service where an answer lacks something, or is not the service's."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from services.query.client import ARROW, Cut, Queries, QueryError, Truncated
from tests.services.query_lake import Reading, TestLake, numbered
from tests.services.query_parts import TestedQueries
from tests.services.test_query_document import InProcess
from tests.services.test_query_service import HOUR, START

ASKED = {"start": START, "end": START + 24 * HOUR}
FRAMES: list[Callable[..., object]] = [Queries.polars, Queries.pandas]


@pytest.mark.parametrize("frame", FRAMES)
def test_frame_that_lacks_a_part_says_so(tmp_path: Path, frame: Callable[..., object]) -> None:
    TestLake(tmp_path / "lake").land(
        numbered(Reading(START + n * HOUR // 4, float(n)) for n in range(96)), files=12
    )
    queries = TestedQueries(tmp_path, most_raw_rows=40)
    with Queries("http://query", queries.local_key, transport=InProcess(queries)) as client:
        frame(client, "meter.m1", "kwh", start=START, end=START + HOUR)
        with pytest.warns(Truncated, match=r"kwh of meter\.m1: a part"):
            frame(client, "meter.m1", "kwh", **ASKED)


@pytest.mark.parametrize(
    ("headers", "content", "after_s", "said"),
    [
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, b"later", 0.0, "later"),
        ({"Retry-After": "7", "Content-Type": "application/json"}, b"[]", 7.0, r"\[\]"),
        ({"Content-Type": "application/problem+json"}, b"{half", 0.0, "{half"),
    ],
)
def test_what_a_proxy_answers_is_a_refusal_too(
    headers: dict[str, str], content: bytes, after_s: float, said: str
) -> None:
    def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(503, headers=headers, content=content)

    with (
        Queries("http://query", "hw_a.b", transport=httpx.MockTransport(answer)) as client,
        pytest.raises(QueryError, match=said) as refused,
    ):
        client.series("meter.m1", "kwh", **ASKED)
    assert (refused.value.status, refused.value.retry_after_s) == (503, after_s)


def test_answer_that_is_cut_on_its_way_is_none(tmp_path: Path) -> None:
    TestLake(tmp_path / "lake").land(
        numbered(Reading(START + n * HOUR, 1.0, device=f"meter.m{n}") for n in range(9))
    )
    queries = TestedQueries(tmp_path)
    whole = queries.ask("/v1/latest", headers={"Accept": ARROW}).content
    cut = 0
    for length in range(0, len(whole) - 8, 8):
        part = httpx.MockTransport(lambda _, part=whole[:length]: httpx.Response(200, content=part))
        with Queries("http://query", "hw_a.b", transport=part) as client, pytest.raises(Cut):
            client.table("/v1/latest")
        cut += 1
    assert cut > 50
    of_all = httpx.MockTransport(lambda _: httpx.Response(200, content=whole))
    with Queries("http://query", "hw_a.b", transport=of_all) as client:
        assert client.table("/v1/latest").num_rows == 9
