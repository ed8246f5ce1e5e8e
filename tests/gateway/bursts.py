"""Devices of each protocol that send at a pace whatever they are told, and remember each answer."""

import asyncio
import base64
import re
import time
from collections.abc import AsyncIterator, Callable
from typing import Protocol, cast

from aiocoap import Message
from aiocoap.message import Direction
from aiocoap.numbers.codes import Code
from aiocoap.numbers.types import CON

from tests.gateway.kills.fleets import FleetDevice

AGAIN_S = 2.0
CONNECTIONS = 6
ANSWERED_WITHIN_S = 60.0
RETRY = re.compile(r"retry after ([\d.]+) s")


class Sender(Protocol):
    """A device, its messages, and what it was told of them."""

    name: str
    sent: list[bytes]
    acknowledged: list[bytes]

    async def run(self, port: int, *, per_s: float, seconds: float) -> None:
        """Send at this pace, then wait for what has no answer."""

    def retries(self) -> list[float | None]:
        """Return, for each refusal, when to try again; None where it does not say."""


def _message(number: int) -> bytes:
    return b'{"seq":%d,"metrics":{"n":%d}}' % (number, number)


class MqttSender(FleetDevice):
    """MQTT 5, QoS 1, as many on their way as come to be."""

    async def run(self, port: int, *, per_s: float, seconds: float) -> None:
        await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", port)
        await asyncio.wait_for(self.let_in.wait(), 20)
        async for _ in paced(per_s, seconds):
            self.send()
        await _until(lambda: not self.unanswered)
        self.close()

    def retries(self) -> list[float | None]:
        found = (RETRY.search(told) for _, told in self.refused)
        return [float(each[1]) if each else None for each in found]


class HttpSender:
    """HTTP/1.1 over a few connections, one request at a time on each."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sent: list[bytes] = []
        self.acknowledged: list[bytes] = []
        self._refused: list[float | None] = []
        self._due: asyncio.Queue[bytes | None] = asyncio.Queue()
        basic = base64.b64encode(f"{name}:".encode()).decode()
        self._head = f"POST /devices/{name}/telemetry HTTP/1.1\r\nHost: g\r\n"
        self._head += f"Authorization: Basic {basic}\r\n"

    async def run(self, port: int, *, per_s: float, seconds: float) -> None:
        connections = [asyncio.create_task(self._connection(port)) for _ in range(CONNECTIONS)]
        async for number in paced(per_s, seconds):
            message = _message(number)
            self.sent.append(message)
            self._due.put_nowait(message)
        for _ in connections:
            self._due.put_nowait(None)
        await asyncio.gather(*connections)

    async def _connection(self, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (message := await self._due.get()) is not None:
            writer.write(f"{self._head}Content-Length: {len(message)}\r\n\r\n".encode() + message)
            answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), ANSWERED_WITHIN_S)
            status, headers = _head(answer)
            await reader.readexactly(int(headers["content-length"]))
            if status == 202:
                self.acknowledged.append(message)
            else:
                told = headers.get("retry-after")
                self._refused.append(float(told) if told else None)
        writer.close()

    def retries(self) -> list[float | None]:
        return self._refused


def _head(answer: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = answer.decode().strip().split("\r\n")
    pairs = (line.split(": ", 1) for line in lines)
    return int(first.split()[1]), {name.lower(): value for name, value in pairs}


class CoapSender(asyncio.DatagramProtocol):
    """Confirmable messages, sent again as long as they have no answer."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sent: list[bytes] = []
        self.acknowledged: list[bytes] = []
        self._refused: list[float | None] = []
        self._waiting: dict[bytes, tuple[bytes, bytes]] = {}
        self._transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, _address: object) -> None:
        answer = Message.decode(data)
        found = self._waiting.pop(answer.token, None) if answer.code else None
        if answer.mtype is CON:
            self._transport.sendto(b"\x60\0" + data[2:4])
        if found is None:
            return
        if answer.code == Code.CHANGED:
            self.acknowledged.append(found[0])
        else:
            has_time = b"retry_after_s" in answer.payload
            self._refused.append(float(answer.opt.max_age) if has_time else None)

    async def run(self, port: int, *, per_s: float, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, remote_addr=("127.0.0.1", port))
        again = asyncio.create_task(self._again())
        async for number in paced(per_s, seconds):
            message = _message(number)
            self.sent.append(message)
            token = number.to_bytes(4)
            packet = self._packet(message, number, token)
            self._waiting[token] = message, packet
            self._transport.sendto(packet)
        await _until(lambda: not self._waiting)
        again.cancel()
        self._transport.close()

    def _packet(self, message: bytes, number: int, token: bytes) -> bytes:
        path, query = ("devices", self.name, "telemetry"), (f"u={self.name}",)
        request = Message(code=Code.POST, payload=message, uri_path=path, uri_query=query)
        request.mtype, request.token, request.mid = CON, token, number % 65_536
        request.direction = Direction.OUTGOING
        return bytes(request.encode())

    async def _again(self) -> None:
        while True:
            before = set(self._waiting)
            await asyncio.sleep(AGAIN_S)
            for token in before & self._waiting.keys():
                self._transport.sendto(self._waiting[token][1])

    def retries(self) -> list[float | None]:
        return self._refused


async def paced(per_s: float, seconds: float) -> AsyncIterator[int]:
    """Yield the numbers of messages as they become due."""
    started, number = time.monotonic(), 0
    while (passed := time.monotonic() - started) < seconds:
        while number < passed * per_s:
            yield number
            number += 1
        await asyncio.sleep(0.02)


async def _until(is_so: Callable[[], bool]) -> None:
    give_up = time.monotonic() + ANSWERED_WITHIN_S
    while not is_so() and time.monotonic() < give_up:
        await asyncio.sleep(0.05)
