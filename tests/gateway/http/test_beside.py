"""Large bodies: worked on while everybody else has their turn."""

import asyncio
import gzip

import httpx
import pytest

from gateway.http.app import http_app
from gateway.http.bodies import MOST_BODY, MOST_UNPACKED
from tests.gateway.entrances import house
from tests.gateway.http.test_app import AUTH, NDJSON, PATH

PACKED = {"Content-Encoding": "gzip"}
BOMB = gzip.compress(bytes(2 * MOST_UNPACKED))
LARGE = b'{"metrics":{"a":"' + b"x" * (MOST_BODY - 100) + b'"}}'
LINES = b"x\n" * 200_000
MANY_TURNS = 200
"""A request that is worked on by the loop alone leaves others some thirty."""


def turns_beside(body: bytes, headers: dict[str, str]) -> tuple[int, int]:
    """Post a body; return its status, and how many turns others had meanwhile."""

    async def counted() -> tuple[int, int]:
        transport = httpx.ASGITransport(http_app(house(is_anonymous=True).entrance))
        async with httpx.AsyncClient(transport=transport, base_url="http://g", headers=AUTH) as c:
            asking = asyncio.ensure_future(c.post(PATH, content=body, headers=headers))
            turns = 0
            while not asking.done():
                turns += 1
                await asyncio.sleep(0)
            return (await asking).status_code, turns

    return asyncio.run(counted())


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (BOMB, PACKED, 413),
        (LARGE, {"Idempotency-Key": "k"}, 413),
        (LINES, NDJSON, 413),
    ],
    ids=["unpacked", "told from another", "cut"],
)
def test_others_have_their_turn_while_a_large_body_is(
    body: bytes, headers: dict[str, str], status: int
) -> None:
    answered, turns = turns_beside(body, headers)

    assert answered == status
    assert turns > MANY_TURNS
