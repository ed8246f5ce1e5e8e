"""Devices over CoAP: a confirmable POST for each record, block by block where it is long."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence

import orjson
from aiocoap import Context, Message, error
from aiocoap.numbers.codes import Code
from aiocoap.numbers.constants import TransportTuning
from aiocoap.numbers.optionnumbers import OptionNumber
from aiocoap.optiontypes import OpaqueOption

from edge.again import Again
from edge.device_outbox import Connections, Posting, Settled, Token

MOST_AT_ONCE = 32
ENDPOINTS = 200
"""Sockets, which devices share: one has 65,536 message ids, and each is taken for 247 s, so that a
single socket could send 265 messages a second before the gateway took new ones for copies."""
ANSWER_WITHIN_S = 60.0
"""Longer than all retransmissions of a request (45 s), and than a gateway takes to refuse one."""
TOKEN_OPTION = OptionNumber(2088)
"""A query has 255 bytes at most, which the token of a device with a long name is beyond."""
RETRIED = (Code.TOO_MANY_REQUESTS, Code.SERVICE_UNAVAILABLE)


class CoapSender:
    """All devices of an outbox; each sends one record at a time."""

    def __init__(
        self,
        settled: Settled,
        host: str,
        port: int,
        token: Token,
        *,
        answer_within_s: float = ANSWER_WITHIN_S,
    ) -> None:
        self._settled = settled
        self._answer_within_s = answer_within_s
        self._root = f"coap://{host}:{port}/devices"
        self._token = token
        self._at_once = asyncio.Semaphore(MOST_AT_ONCE)
        self._endpoints: dict[int, asyncio.Task[Context]] = {}
        self._queues: dict[str, deque[Posting]] = {}
        self._senders: dict[str, asyncio.Task[None]] = {}
        self._numbers: dict[str, int] = {}
        self.connections = Connections()
        self.has_connections = False

    def open(self, names: Sequence[str]) -> None:
        """Do nothing: there are no connections."""

    def send(self, posting: Posting) -> None:
        """Send a record as its device."""
        name = posting.device_full
        self._queues.setdefault(name, deque()).append(posting)
        if name not in self._senders:
            self._senders[name] = asyncio.get_event_loop().create_task(self._drain(name))

    async def _drain(self, name: str) -> None:
        queue, context = self._queues[name], await self._endpoint(name)
        while queue:
            async with self._at_once:
                posting = queue.popleft()
                self._settled(posting, await self._answer(context, name, posting))
        del self._senders[name]

    async def _endpoint(self, name: str) -> Context:
        """Return the socket that a device sends by, the same one each time."""
        number = self._numbers.setdefault(name, len(self._numbers) % ENDPOINTS)
        if number not in self._endpoints:
            opened = Context.create_client_context(transports=["simple6"])
            self._endpoints[number] = asyncio.ensure_future(opened)
        return await self._endpoints[number]

    async def _answer(self, context: Context, name: str, posting: Posting) -> str | None:
        """Send until there is an answer that waiting cannot change; return why it was refused."""
        again = Again()
        while True:
            uri = f"{self._root}/{name}/telemetry"
            posting.written()
            asked_at = time.monotonic()
            request = Message(code=Code.POST, uri=uri, payload=posting.record.value)
            # Made anew each time: a token ends, and whoever always has something to send does not.
            request.opt.add_option(OpaqueOption(TOKEN_OPTION, self._token(name).encode()))
            try:
                # One that said it would answer later (an empty ACK) may be gone since, and the
                # library would wait for it for ever.
                asking = context.request(request).response
                answer = await asyncio.wait_for(asking, self._answer_within_s)
            except (error.NetworkError, error.TimeoutError, TimeoutError, OSError):
                answer = None
            if time.monotonic() - asked_at > TransportTuning.ACK_TIMEOUT:
                posting.written()  # The library may have sent it again, and a new gateway took it.
            if answer is not None and answer.code.is_successful():
                return None
            if answer is not None and answer.code not in RETRIED:
                return _reason(answer)
            await self._rest(again, None if answer is None else _named_s(answer))

    async def _rest(self, again: Again, named_s: float | None) -> None:
        """Wait, and let other devices send meanwhile."""
        self._at_once.release()
        try:
            await again.rest(named_s)
        finally:
            await self._at_once.acquire()

    async def close(self) -> None:
        """Say goodbye."""
        for task in list(self._senders.values()):
            task.cancel()
        for opened in self._endpoints.values():
            await (await opened).shutdown()


def _named_s(answer: Message) -> float | None:
    """Return how many seconds a refusal wants at least (RFC 7252, 5.9.3.4; RFC 8516)."""
    max_age_s = answer.opt.max_age
    return None if max_age_s is None else float(max_age_s)


def _reason(answer: Message) -> str:
    try:
        return str(orjson.loads(answer.payload)["reason"])
    except (ValueError, KeyError, TypeError):
        return str(answer.code)
