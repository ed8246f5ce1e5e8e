"""Devices over HTTP: what waits of one device goes out as one request, a message a line."""

import asyncio
from collections import deque

import httpx

from edge.device_outbox import Posting, Settled
from edge.mqtt_sender import Token

MOST_AT_ONCE = 16
MOST_LINES = 500
MOST_BYTES = 1_000_000
AGAIN_S = 0.5
MOST_AGAIN_S = 8.0
RETRIED = (429, 502, 503, 504)
JSON = "application/json"
NDJSON = "application/x-ndjson"


class HttpSender:
    """All devices of an outbox."""

    def __init__(self, settled: Settled, url: str, token: Token) -> None:
        self._settled = settled
        self._token = token
        self._client = httpx.AsyncClient(base_url=url, timeout=60.0, verify=False)  # noqa: S501
        self._at_once = asyncio.Semaphore(MOST_AT_ONCE)
        self._queues: dict[str, deque[Posting]] = {}
        self._senders: dict[str, asyncio.Task[None]] = {}

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
        if refusal == "undecodable" and len(postings) > 1:
            # One bad line refuses them all, so each one is asked for alone.
            for posting in postings:
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
        again_s = AGAIN_S
        while True:
            try:
                answer = await self._client.post(
                    f"/devices/{name}/telemetry", content=body, headers=headers
                )
            except httpx.TransportError:
                await asyncio.sleep(again_s)
            else:
                if answer.status_code == httpx.codes.ACCEPTED:
                    return None
                if answer.status_code not in RETRIED:
                    return _reason(answer)
                await asyncio.sleep(min(float(answer.headers.get("Retry-After", 1)), again_s))
            again_s = min(again_s * 2, MOST_AGAIN_S)

    async def close(self) -> None:
        """Say goodbye."""
        for task in list(self._senders.values()):
            task.cancel()
        await self._client.aclose()


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


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["reason"])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"
