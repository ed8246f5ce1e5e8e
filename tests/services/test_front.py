"""Who follows the bare address of a service finds what can be asked."""

import asyncio

import httpx
from fastapi import FastAPI

from services.front import show_document_in_front


def test_the_bare_address_leads_to_the_document() -> None:
    app = FastAPI(title="Headwater test")
    show_document_in_front(app)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://front") as client:
            return await client.get("/", follow_redirects=True)

    document = asyncio.run(ask()).json()

    assert document["info"]["title"] == "Headwater test"
    assert "/" not in document["paths"]
