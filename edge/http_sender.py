"""Devices over HTTP: each by a connection of its own; what waits goes out a message a line."""

import asyncio
from collections import deque
from collections.abc import Sequence

import httpx

from edge.again import Again
from edge.device_outbox import Connections, Posting, Settled, Token
from edge.loopback import source_of

MOST_AT_ONCE = 64
"""Requests under way at the same time."""
MOST_LINES = 500
MOST_BYTES = 1_000_000
KEPT_S = 60.0
"""How long a connection without a request is kept: the gateway closes it after 75 s."""
RETRIED = (429, 502, 503, 504)
OF_ONE_LINE = ("undecodable", "device_mismatch", "too_large")
"""Refusals of a request that are about one of its lines."""
JSON = "application/json"
NDJSON = "application/x-ndjson"


class HttpSender:
    """All devices of an outbox."""

    def __init__(self, settled: Settled, url: str, token: Token) -> None:
        self._settled = settled
        self._token = token
        self._url = httpx.URL(url)
        # Shared, since each would take 10 ms to make; the gateway's certificate may be its own.
        self._secure = httpx.create_ssl_context(verify=False)
        self._at_once = asyncio.Semaphore(MOST_AT_ONCE)
        self._clients: dict[str, httpx.AsyncClient] = {}
        self._queues: dict[str, deque[Posting]] = {}
        self._senders: dict[str, asyncio.Task[None]] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self.connections = Connections()
        self.has_connections = True

    def open(self, names: Sequence[str]) -> None:
        """Connect devices that have nothing to send yet."""
        for name in names:
            task = asyncio.get_event_loop().create_task(self._open(name))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _open(self, name: str) -> None:
        again = Again()
        while True:
            try:
                async with self._at_once:
                    await self._client(name).get("/health")
            except httpx.TransportError:
                await again.rest()
            else:
                self.connections.open += 1
                return

    def _client(self, name: str) -> httpx.AsyncClient:
        """Return a device's own client, which keeps one connection."""
        client = self._clients.get(name)
        if client is None:
            source = source_of(self._url.host, len(self._clients))
            transport = httpx.AsyncHTTPTransport(
                verify=self._secure,
                limits=httpx.Limits(max_connections=1, keepalive_expiry=KEPT_S),
                local_address=source and source[0],
            )
            client = httpx.AsyncClient(
                base_url=self._url, transport=transport, timeout=60.0, trust_env=False
            )
            self._clients[name] = client
        return client

    def send(self, posting: Posting) -> None:
        """Send a record as its device."""
        name = posting.device_full
        self._queues.setdefault(name, deque()).append(posting)
        if name not in self._senders:
            self._senders[name] = asyncio.get_event_loop().create_task(self._drain(name))

    async def _drain(self, name: str) -> None:
        """Send a device's records in their order, until none waits."""
        queue = self._queues[name]
        while queue:
            async with self._at_once:
                await self._post(name, _next(queue))
        del self._senders[name]

    async def _post(self, name: str, postings: list[Posting]) -> None:
        refusal = await self._answer(name, postings)
        if refusal in OF_ONE_LINE and len(postings) > 1:
            # One bad line refuses them all and none is kept, so each one is asked for alone.
            for posting in postings:
                posting.is_written = False
                await self._post(name, [posting])
            return
        for posting in postings:
            self._settled(posting, refusal)

    async def _answer(self, name: str, postings: list[Posting]) -> str | None:
        """Send until there is an answer that waiting cannot change; return why it was refused."""
        body = b"\n".join(posting.record.value for posting in postings)
        headers = {
            "Content-Type": NDJSON if len(postings) > 1 else JSON,
            "Authorization": f"Bearer {self._token(name)}",
        }
        client, again = self._client(name), Again()
        while True:
            for posting in postings:
                posting.written()
            try:
                answer = await client.post(
                    f"/devices/{name}/telemetry", content=body, headers=headers
                )
            except httpx.TransportError:
                self.connections.lost += 1
                await self._rest(again)
                continue
            if answer.status_code == httpx.codes.ACCEPTED:
                return None
            if answer.status_code not in RETRIED:
                return _reason(answer)
            await self._rest(again, _named_s(answer))

    async def _rest(self, again: Again, named_s: float | None = None) -> None:
        """Wait, and let other devices send meanwhile."""
        self._at_once.release()
        try:
            await again.rest(named_s)
        finally:
            await self._at_once.acquire()

    async def close(self) -> None:
        """Say goodbye."""
        for task in (*self._senders.values(), *self._opening):
            task.cancel()
        for client in self._clients.values():
            await client.aclose()


def _next(queue: deque[Posting]) -> list[Posting]:
    """Take as many records as fit one request; one that is no plain line goes alone."""
    taken = [queue.popleft()]
    size = len(taken[0].record.value)
    if not _is_line(taken[0]):
        return taken
    while queue and len(taken) < MOST_LINES and _is_line(queue[0]):
        size += len(queue[0].record.value)
        if size > MOST_BYTES:
            break
        taken.append(queue.popleft())
    return taken


def _is_line(posting: Posting) -> bool:
    value = posting.record.value
    return value[:1] == b"{" and value[-1:] == b"}" and b"\n" not in value


def _named_s(answer: httpx.Response) -> float | None:
    """Return how many seconds an answer wants at least; a date says as little as nothing.

    The gateway's own words are more exact than its header, which has whole seconds.
    """
    said = answer.headers.get("Retry-After", "")
    if not (said.isascii() and said.isdigit()):
        return None
    try:
        return float(answer.json()["retry_after_s"])
    except (ValueError, KeyError, TypeError):
        return float(said)


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["reason"])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"
