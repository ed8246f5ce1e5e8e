"""One message over CoAP, at a real port."""

import asyncio

import aiocoap
from aiocoap import Message
from aiocoap.numbers.codes import Code

from tests.gateway.entrances import MESSAGE
from tests.gateway.served import Served


def posted(
    served: Served,
    payload: bytes = MESSAGE,
    path: str = "d1/telemetry?u=d1",
    form: int | None = None,
) -> Message:
    """Post to a path below `devices/`; return the answer."""

    async def post() -> Message:
        client = await aiocoap.Context.create_client_context(transports=["simple6"])
        uri = f"coap://127.0.0.1:{served.port('coap')}/devices/{path}"
        request = Message(code=Code.POST, uri=uri, payload=payload)
        if form is not None:
            request.opt.content_format = form
        try:
            return await asyncio.wait_for(client.request(request).response, 20)
        finally:
            await client.shutdown()

    return asyncio.run(post())
