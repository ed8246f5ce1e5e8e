"""What bodies of requests under way hold together: bounded, and given back."""

import asyncio
import base64
import gzip
from collections.abc import AsyncIterator
from typing import TypeVar

import httpx
import pytest

from gateway.http.app import http_app
from gateway.http.reading import Holding
from gateway.identity import Identity
from tests.gateway.entrances import MESSAGE, House, house

PATH = "/devices/{}/telemetry"
T = TypeVar("T")
LIST = b"[" + b",".join([MESSAGE] * 30) + b"]"


def basic(device: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{device}:x".encode()).decode()}


async def beside(one: House, holding: Holding, first: str, second: str) -> list[httpx.Response]:
    """Have one device begin a body and pause, another send its own meanwhile, and the first end."""
    told: list[httpx.Response] = []
    transport = httpx.ASGITransport(http_app(one.entrance, holding=holding))
    async with httpx.AsyncClient(transport=transport, base_url="http://g") as client:

        async def post(device: str, body: bytes | AsyncIterator[bytes]) -> None:
            told.append(await client.post(PATH.format(device), content=body, headers=basic(device)))

        async def slowly() -> AsyncIterator[bytes]:
            yield LIST[:900]
            await polled(one, asyncio.ensure_future(post(second, LIST)))
            yield LIST[900:]

        await polled(one, asyncio.ensure_future(post(first, slowly())))
        await polled(one, asyncio.ensure_future(post(second, LIST)))
    return told


async def polled(one: House, work: "asyncio.Future[T]") -> T:
    while not work.done():
        await asyncio.sleep(0)
        one.outlet.poll()
    return await work


@pytest.mark.parametrize(
    ("holding", "second"),
    [(Holding(most=2_000), "d2"), (Holding(most_of_device=2_000), "d1")],
    ids=["all", "one device"],
)
def test_body_that_finds_no_room_is_told_when_to_come_again(holding: Holding, second: str) -> None:
    one = house(is_anonymous=True)

    refused, *taken = asyncio.run(beside(one, holding, "d1", second))

    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
    assert (refused.json()["reason"], refused.json()["limit"]) == ("busy", "bodies")
    assert [answer.status_code for answer in taken] == [202, 202]
    assert one.entrance.counters.value("rejected", reason="busy") == 1
    assert holding.held == 0


def test_other_devices_have_room_beside_one_that_has_none() -> None:
    holding = Holding(most_of_device=2_000)

    told = asyncio.run(beside(house(is_anonymous=True), holding, "d1", "d2"))

    assert [answer.status_code for answer in told] == [202] * 3
    assert holding.held == 0


def test_what_a_body_unpacks_to_counts_too() -> None:
    one, holding = house(is_anonymous=True), Holding(most_of_device=1_000)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(http_app(one.entrance, holding=holding))
        packed = gzip.compress(LIST)
        headers = {**basic("d1"), "Content-Encoding": "gzip"}
        async with httpx.AsyncClient(transport=transport, base_url="http://g") as client:
            posting = client.post(PATH.format("d1"), content=packed, headers=headers)
            return await polled(one, asyncio.ensure_future(posting))

    answer = asyncio.run(ask())

    assert (answer.status_code, answer.json()["limit"]) == (503, "bodies")
    assert (holding.held, one.outlet.taken) == (0, [])


def test_hold_is_given_back_however_its_request_ends() -> None:
    holding = Holding(most=10)
    identity = Identity("default", "d1", "local/x")

    def fail() -> None:
        with holding.of(identity) as hold:
            assert hold.more(10) is None
            assert hold.more(1) is not None
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert holding.held == 0
    with holding.of(identity) as hold:
        assert hold.more(10) is None
