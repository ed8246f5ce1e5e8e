"""Devices over CoAP: a confirmable POST for each record, block by block where it is long."""

import asyncio
from collections import deque

import orjson
from aiocoap import Context, Message, error
from aiocoap.numbers.codes import Code

from edge.device_outbox import Posting, Settled
from edge.mqtt_sender import Token

MOST_AT_ONCE = 32
AGAIN_S = 0.5
MOST_AGAIN_S = 8.0
RETRIED = (Code.TOO_MANY_REQUESTS, Code.SERVICE_UNAVAILABLE)


class CoapSender:
    """All devices of an outbox; each sends one record at a time."""

    def __init__(self, settled: Settled, host: str, port: int, token: Token) -> None:
        self._settled = settled
        self._root = f"coap://{host}:{port}/devices"
        self._token = token
        self._at_once = asyncio.Semaphore(MOST_AT_ONCE)
        self._context: Context | None = None
        self._queues: dict[str, deque[Posting]] = {}
        self._senders: dict[str, asyncio.Task[None]] = {}
        self._opening = asyncio.Lock()

    def send(self, posting: Posting) -> None:
        """Send a record as its device."""
        name = posting.device_full
        self._queues.setdefault(name, deque()).append(posting)
        if name not in self._senders:
            self._senders[name] = asyncio.get_event_loop().create_task(self._drain(name))

    async def _drain(self, name: str) -> None:
        queue, context = self._queues[name], await self._opened()
        token = self._token(name)
        while queue:
            async with self._at_once:
                posting = queue.popleft()
                self._settled(posting, await self._answer(context, name, token, posting))
        del self._senders[name]

    async def _opened(self) -> Context:
        async with self._opening:
            if self._context is None:
                self._context = await Context.create_client_context(transports=["simple6"])
        return self._context

    async def _answer(
        self, context: Context, name: str, token: str, posting: Posting
    ) -> str | None:
        """Send until there is an answer that waiting cannot change; return why it was refused."""
        again_s = AGAIN_S
        while True:
            uri = f"{self._root}/{name}/telemetry?token={token}"
            request = Message(code=Code.POST, uri=uri, payload=posting.record.value)
            try:
                answer = await context.request(request).response
            except (error.NetworkError, error.TimeoutError, OSError):
                answer = None
            if answer is not None and answer.code.is_successful():
                return None
            if answer is not None and answer.code not in RETRIED:
                return _reason(answer)
            await asyncio.sleep(again_s)
            again_s = min(again_s * 2, MOST_AGAIN_S)

    async def close(self) -> None:
        """Say goodbye."""
        for task in list(self._senders.values()):
            task.cancel()
        if self._context is not None:
            await self._context.shutdown()


def _reason(answer: Message) -> str:
    try:
        return str(orjson.loads(answer.payload)["reason"])
    except (ValueError, KeyError, TypeError):
        return str(answer.code)
