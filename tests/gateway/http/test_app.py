"""The HTTP listener in process: requests in, answers out."""

import asyncio
import base64
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import orjson
import pytest
import zstandard
from cbor2 import dumps

from gateway.http.app import http_app
from gateway.http.bodies import MOST_BODY
from gateway.limits import Rate
from tests.gateway.entrances import MESSAGE, House, house

TWO = b'{"seq":1,"metrics":{"a":1}}\n\n{"seq":2,"metrics":{"a":2}}\n'
PATH = "/devices/d1/telemetry"
AUTH = {"Authorization": "Basic " + base64.b64encode(b"d1:x").decode()}
NDJSON = {"Content-Type": "application/x-ndjson"}
STATUSES = {"202", "401", "403", "408", "409", "413", "415", "422", "429", "503"}


def posted(
    one: House,
    body: bytes,
    headers: dict[str, str] | list[tuple[str, str]] | None = None,
    path: str = PATH,
) -> httpx.Response:
    return answers(one, lambda client: client.post(path, content=body, headers=headers))


def answers(
    one: House,
    asked: Callable[[httpx.AsyncClient], Awaitable[httpx.Response]],
    silent_s: float = 5.0,
) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(http_app(one.entrance, silent_s=silent_s))
        async with httpx.AsyncClient(transport=transport, base_url="http://g", headers=AUTH) as c:
            asking = asyncio.ensure_future(asked(c))
            while not asking.done():
                await asyncio.sleep(0)
                one.outlet.poll()
            return await asking

    return asyncio.run(ask())


def anonymous(**options: object) -> House:
    return house(is_anonymous=True, **options)  # type: ignore[arg-type]


def test_message_is_accepted_once_it_is_durable() -> None:
    one = anonymous()
    answer = posted(one, MESSAGE)

    assert (answer.status_code, answer.json()["accepted"]) == (202, 1)
    assert one.outlet.taken[0].value == MESSAGE
    assert one.outlet.taken[0].headers["protocol"] == b"http"


@pytest.mark.parametrize(
    ("body", "headers", "records", "messages"),
    [
        (TWO, NDJSON, 2, 2),
        (b"[" + MESSAGE + b"," + MESSAGE + b"]", {}, 1, 2),
        (gzip.compress(MESSAGE, mtime=0), {"Content-Encoding": "gzip"}, 1, 1),
        (zstandard.compress(TWO), {"Content-Encoding": "zstd"} | NDJSON, 2, 2),
        (dumps({"metrics": {"a": 1}}), {"Content-Type": "application/cbor"}, 1, 1),
    ],
)
def test_forms_of_a_body(body: bytes, headers: dict[str, str], records: int, messages: int) -> None:
    one = anonymous()
    answer = posted(one, body, headers)

    assert (answer.status_code, answer.json()["accepted"]) == (202, messages)
    assert len(one.outlet.taken) == records


def test_no_credential_is_401() -> None:
    answer = posted(anonymous(), MESSAGE, {"Authorization": ""})

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("body", "headers", "path", "status", "reason"),
    [
        (MESSAGE, {}, "/devices/d2/telemetry", 403, "not_authorised"),
        (b'{"metrics":{"a":"' + b"x" * 300_000 + b'"}}', {}, PATH, 413, "too_large"),
        (b"x" * (MOST_BODY + 1), {}, PATH, 413, "too_large"),
        (MESSAGE, {"Idempotency-Key": "k" * 256}, PATH, 422, "undecodable"),
        (MESSAGE, {}, f"/devices/{'d' * 261}/telemetry", 422, "undecodable"),
        (b'{"seq":9223372036854775808,"metrics":{"a":1}}', {}, PATH, 422, "undecodable"),
        (MESSAGE, {"Content-Type": "text/xml"}, PATH, 415, "content_type"),
        (MESSAGE, {"Content-Encoding": "br"}, PATH, 415, "content_type"),
        (b"rubbish", {"Content-Encoding": "gzip"}, PATH, 422, "undecodable"),
        (b"rubbish", {}, PATH, 422, "undecodable"),
        (b"", {}, PATH, 422, "undecodable"),
        (b'{"device":"d9","metrics":{"a":1}}', {}, PATH, 422, "device_mismatch"),
    ],
)
def test_refusals_by_status(
    body: bytes, headers: dict[str, str], path: str, status: int, reason: str
) -> None:
    answer = posted(anonymous(), body, headers, path)

    assert (answer.status_code, answer.json()["reason"]) == (status, reason)


@pytest.mark.parametrize("path", ["/health", "/metrics"])
def test_those_who_balance_load_may_ask_by_head(path: str) -> None:
    assert answers(anonymous(), lambda client: client.head(path)).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "reason", "allowed"),
    [
        ("GET", PATH, 405, "method", "POST"),
        ("HEAD", PATH, 405, "method", "POST"),
        ("OPTIONS", PATH, 405, "method", "POST"),
        ("POST", "/health", 405, "method", "GET, HEAD"),
        ("DELETE", "/metrics", 405, "method", "GET, HEAD"),
        ("POST", "/openapi.json", 405, "method", "GET, HEAD"),
        ("POST", "/devices/d1", 404, "topic", None),
        ("BREW", PATH, 405, "method", "POST"),
    ],
)
def test_what_is_not_there_has_its_reason_and_what_is_instead(
    method: str, path: str, status: int, reason: str, allowed: str | None
) -> None:
    answer = answers(anonymous(), lambda client: client.request(method, path))

    assert (answer.status_code, answer.headers.get("Allow")) == (status, allowed)
    assert answer.headers["Content-Type"] == "application/json"
    assert method == "HEAD" or answer.json()["reason"] == reason


@pytest.mark.parametrize(("gap_s", "silent_s", "status"), [(0.02, 10.0, 202), (5.0, 0.5, 408)])
def test_body_may_come_slowly_and_not_stop(gap_s: float, silent_s: float, status: int) -> None:
    one = anonymous()

    async def pieces() -> AsyncIterator[bytes]:
        for piece in (MESSAGE[:9], MESSAGE[9:20], MESSAGE[20:]):
            yield piece
            await asyncio.sleep(gap_s)

    answer = answers(one, lambda client: client.post(PATH, content=pieces()), silent_s=silent_s)

    assert answer.status_code == status
    assert len(one.outlet.taken) == (status == 202)
    assert status == 202 or answer.json()["reason"] == "incomplete"


def test_bad_line_is_named_and_kept_and_nothing_else_is_taken() -> None:
    one = anonymous()
    answer = posted(one, TWO + b'{"seq":-1,"metrics":{"a":1}}\n', NDJSON)

    assert answer.status_code == 422
    fault = answer.json()["faults"][0]
    assert (fault["line"], fault["field"], fault["rule"]) == (4, "seq", "range")
    assert [taken.topic for taken in one.outlet.taken] == ["telemetry.dead"]


def test_body_that_does_not_unpack_is_kept_as_it_came() -> None:
    one = anonymous()
    for encoding in ("gzip", "zstd"):
        answer = posted(one, b"rubbish", {"Content-Encoding": encoding})
        assert answer.status_code == 422

    assert [(taken.topic, taken.value) for taken in one.outlet.taken] == [
        ("telemetry.dead", b"rubbish")
    ] * 2
    assert one.outlet.taken[0].headers["reason"] == b"undecodable"


def test_rubbish_has_its_limit_too() -> None:
    one = anonymous(device_rate=Rate(1.0, 1.0))
    assert posted(one, b"rubbish").status_code == 422
    assert posted(one, b"rubbish").status_code == 429
    assert posted(one, b"rubbish", {"Content-Encoding": "gzip"}).status_code == 429


def test_limit_is_429_with_the_time_to_try_again() -> None:
    one = anonymous(device_rate=Rate(1.0, 1.0))
    posted(one, MESSAGE)
    answer = posted(one, MESSAGE)

    assert answer.status_code == 429
    assert answer.headers["Retry-After"] in ("1", "2")
    assert answer.json()["limit"] == "device"


def test_store_that_is_away_is_503_with_the_time_to_try_again() -> None:
    one = anonymous()
    one.outlet.is_away = True
    answer = posted(one, MESSAGE)

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 3


def test_record_that_is_lost_on_its_way_is_503() -> None:
    one = anonymous()
    one.outlet.error = "timed out"

    assert posted(one, TWO, NDJSON).status_code == 503


def test_store_that_fails_in_the_middle_is_503_with_what_was_kept() -> None:
    one = anonymous()
    one.outlet.falls_after = 1
    answer = posted(one, TWO, NDJSON)

    assert answer.status_code == 503
    assert (answer.json()["kept"], answer.json()["not_kept"]) == (1, 1)
    assert "send all of them again" in answer.json()["text"]
    assert "Retry-After" in answer.headers


def test_idempotency_key_gets_the_first_answer_again() -> None:
    one = anonymous()

    async def thrice(client: httpx.AsyncClient) -> httpx.Response:
        headers = {"Idempotency-Key": "k"}
        first = await client.post(PATH, content=MESSAGE, headers=headers)
        second = await client.post(PATH, content=MESSAGE, headers=headers)
        assert second.content == first.content
        assert second.headers["Idempotent-Replayed"] == "true"
        return await client.post(PATH, content=TWO, headers=headers)

    assert answers(one, thrice).status_code == 422
    assert len(one.outlet.taken) == 1
    assert one.entrance.counters.value("rejected", reason="undecodable") == 1


def test_requests_at_once_with_one_key_are_published_once() -> None:
    one = anonymous()

    async def twice(client: httpx.AsyncClient) -> httpx.Response:
        headers = {"Idempotency-Key": "k"}
        asked = [client.post(PATH, content=MESSAGE, headers=headers) for _ in range(2)]
        other = client.post(PATH, content=TWO, headers=headers)
        first, second, third = await asyncio.gather(*asked, other)
        assert (first.status_code, second.content) == (202, first.content)
        assert "Idempotent-Replayed" not in first.headers
        assert third.status_code == 422
        return second

    assert answers(one, twice).headers["Idempotent-Replayed"] == "true"
    assert len(one.outlet.taken) == 1


def test_request_beside_one_that_ends_without_its_answer_is_told_to_come_again() -> None:
    one = anonymous()
    one.outlet.is_held = True

    async def leave(client: httpx.AsyncClient) -> httpx.Response:
        headers = {"Idempotency-Key": "k"}
        first = asyncio.ensure_future(client.post(PATH, content=MESSAGE, headers=headers))
        while not one.outlet.taken:
            await asyncio.sleep(0)
        second = asyncio.ensure_future(client.post(PATH, content=MESSAGE, headers=headers))
        for _ in range(20):
            await asyncio.sleep(0)
        first.cancel()
        answer = await second
        one.outlet.is_held = False
        assert (await client.post(PATH, content=MESSAGE, headers=headers)).status_code == 202
        return answer

    answer = answers(one, leave)
    assert (answer.status_code, answer.headers["Retry-After"]) == (409, "1")


def test_document_names_every_status() -> None:
    answer = answers(anonymous(), lambda client: client.get("/openapi.json"))

    post = orjson.loads(answer.content)["paths"]["/devices/{device}/telemetry"]["post"]
    assert set(post["responses"]) == STATUSES


def test_figures_are_counted_by_reason() -> None:
    one = anonymous()
    posted(one, b"rubbish")
    posted(one, TWO, NDJSON)
    answer = answers(one, lambda client: client.get("/metrics"))

    assert 'headwater_gateway_rejected_total{reason="undecodable"} 1' in answer.text
    assert 'headwater_gateway_accepted_total{protocol="http"} 2' in answer.text
