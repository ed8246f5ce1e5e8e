"""A stranger's request whose body does not end, and how much of it a service reads."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response

PIECE = 65_536


def asked_endlessly(app: FastAPI, method: str, path: str) -> tuple[Response, int]:
    """Return the answer, and how many bytes of the body were read before it."""
    pieces = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal pieces
        while pieces < 1_000:
            pieces += 1
            yield b" " * PIECE

    async def ask() -> Response:
        headers = {"Content-Type": "application/json"}
        async with AsyncClient(transport=ASGITransport(app), base_url="http://service") as client:
            return await client.request(method, path, content=endless(), headers=headers)

    return asyncio.run(ask()), pieces * PIECE
