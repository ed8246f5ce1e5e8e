"""A store that does not decide: whoever waits for an answer hears in time when to try again."""

import asyncio

import httpx

from gateway.http.app import http_app
from tests.gateway.entrances import MESSAGE, House, house
from tests.gateway.http.test_app import AUTH, PATH

KEY = {"Idempotency-Key": "k1"}


async def asked(one: House, client: httpx.AsyncClient) -> httpx.Response:
    """Post while the store decides nothing, until that is answered."""
    one.outlet.is_held = True
    answer = await client.post(PATH, content=MESSAGE, headers=KEY)
    one.outlet.is_held = False
    return answer


async def again(one: House, client: httpx.AsyncClient) -> httpx.Response:
    """Post once the store decides."""
    asking = asyncio.ensure_future(client.post(PATH, content=MESSAGE, headers=KEY))
    while not asking.done():
        await asyncio.sleep(0)
        one.outlet.poll()
    return await asking


def test_request_of_which_nothing_is_decided_is_503_and_may_come_again_with_its_key() -> None:
    one = house(is_anonymous=True)
    one.entrance.ingest.decided_within_s = 0.05

    async def both() -> list[httpx.Response]:
        transport = httpx.ASGITransport(http_app(one.entrance))
        async with httpx.AsyncClient(transport=transport, base_url="http://g", headers=AUTH) as c:
            return [await asked(one, c), await again(one, c)]

    first, second = asyncio.run(both())

    assert (first.status_code, first.json()["reason"]) == (503, "unavailable")
    assert float(first.headers["Retry-After"]) >= 5
    assert first.json()["not_kept"] == 1
    assert (second.status_code, second.headers.get("Idempotent-Replayed")) == (202, None)
