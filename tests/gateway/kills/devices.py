"""Devices that send each message until it is acknowledged, as real clients do."""

import asyncio
import socket
import threading
import time
from collections.abc import Sequence
from itertools import count
from typing import Protocol

import httpx
from aiocoap import Context, Message, error
from aiocoap.numbers.codes import Code
from aiocoap.numbers.constants import TransportTuning
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.gateway.kills.relays import Packet

WITHIN_S = 60.0
AGAIN_S = 0.2
LATER_WITHIN_S = 25.0
STARTED = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()).encode()


class Device(Protocol):
    """Sends messages at once, and returns when all are acknowledged."""

    name: str
    acknowledged: set[bytes]

    def send(self, messages: Sequence[bytes]) -> None:
        """Send, and send again, until all are acknowledged."""

    def is_first_packet(self, packet: Packet) -> bool:
        """Say whether a packet brings the device's credential."""

    def is_acknowledgement(self, packet: Packet) -> bool:
        """Say whether a packet acknowledges a message."""

    def lose_connection(self) -> None:
        """Have it come again, with its credential."""

    def close(self) -> None:
        """Say goodbye."""


class MqttDevice:
    """Paho, whose session and messages outlive its connections."""

    def __init__(self, name: str, port: int, *, qos: int) -> None:
        self.name = name
        self._qos = qos
        self.acknowledged: set[bytes] = set()
        self._sent: dict[int, bytes] = {}
        self._settled = threading.Condition()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, f"c-{name}", clean_session=False, reconnect_on_failure=True
        )
        self._client.username_pw_set(name)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_publish = self._published
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()

    def _published(self, _client: object, _data: object, mid: int, *_more: object) -> None:
        with self._settled:
            self.acknowledged.add(self._sent[mid])
            self._settled.notify_all()

    def send(self, messages: Sequence[bytes]) -> None:
        for message in messages:
            with self._settled:
                told = self._client.publish(f"devices/{self.name}/telemetry", message, self._qos)
                self._sent[told.mid] = message
        with self._settled:
            assert self._settled.wait_for(
                lambda: self.acknowledged.issuperset(messages), WITHIN_S
            ), f"{len(set(messages) - self.acknowledged)} messages without an acknowledgement"

    def is_first_packet(self, packet: Packet) -> bool:
        return not packet.is_down and packet.data[0] >> 4 == 1

    def is_acknowledgement(self, packet: Packet) -> bool:
        return packet.is_down and packet.data[0] >> 4 in (4, 5)

    def lose_connection(self) -> None:
        """Have it come again, with its credential."""
        sock = self._client.socket()
        if isinstance(sock, socket.socket):
            sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


class HttpDevice:
    """Posts each message until the answer is 202, under one idempotency key."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.acknowledged: set[bytes] = set()
        self._url = f"http://127.0.0.1:{port}/devices/{name}/telemetry"
        self._numbers = count()

    def send(self, messages: Sequence[bytes]) -> None:
        asyncio.run(asyncio.wait_for(self._send_all(messages), WITHIN_S))

    async def _send_all(self, messages: Sequence[bytes]) -> None:
        async with httpx.AsyncClient(auth=(self.name, ""), timeout=20) as client:
            await asyncio.gather(*(self._send(client, message) for message in messages))

    async def _send(self, client: httpx.AsyncClient, message: bytes) -> None:
        headers = {"Idempotency-Key": f"k{next(self._numbers)}", "Content-Type": "application/json"}
        while message not in self.acknowledged:
            try:
                answer = await client.post(self._url, content=message, headers=headers)
            except httpx.TransportError:
                await asyncio.sleep(AGAIN_S)
                continue
            if answer.status_code == httpx.codes.ACCEPTED:
                self.acknowledged.add(message)
            else:
                assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE, answer.text
                await asyncio.sleep(float(answer.headers["Retry-After"]))

    def is_first_packet(self, packet: Packet) -> bool:
        return not packet.is_down and packet.data.startswith(b"POST ")

    def is_acknowledgement(self, packet: Packet) -> bool:
        return packet.is_down and packet.data.startswith(b"HTTP/1.1 202")

    def lose_connection(self) -> None:
        """Do nothing: each request brings its credential."""

    def close(self) -> None:
        """Do nothing: no connection is left."""


class CoapDevice:
    """Sends confirmable requests, which aiocoap sends again while nobody answers."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.acknowledged: set[bytes] = set()
        self._uri = f"coap://127.0.0.1:{port}/devices/{name}/telemetry?u={name}"
        self._timers = TransportTuning()
        self._timers.ACK_TIMEOUT = 0.3
        self._timers.MAX_RETRANSMIT = 6

    def send(self, messages: Sequence[bytes]) -> None:
        asyncio.run(asyncio.wait_for(self._send_all(messages), WITHIN_S))

    async def _send_all(self, messages: Sequence[bytes]) -> None:
        context = await Context.create_client_context(transports=["simple6"])
        try:
            # One at a time, as RFC 7252 asks (NSTART).
            for message in messages:
                await self._send(context, message)
        finally:
            await context.shutdown()
            await asyncio.sleep(0)

    async def _send(self, context: Context, message: bytes) -> None:
        while message not in self.acknowledged:
            request = Message(
                code=Code.POST, uri=self._uri, payload=message, transport_tuning=self._timers
            )
            try:
                # One that said it would answer later (an empty ACK) may have been killed since.
                asking = context.request(request).response
                answer = await asyncio.wait_for(asking, LATER_WITHIN_S)
            except (error.NetworkError, error.TimeoutError, TimeoutError, OSError):
                await asyncio.sleep(AGAIN_S)
                continue
            if answer.code == Code.CHANGED:
                self.acknowledged.add(message)
            else:
                assert answer.code == Code.SERVICE_UNAVAILABLE, answer
                await asyncio.sleep(float(answer.opt.max_age))

    def is_first_packet(self, packet: Packet) -> bool:
        return not packet.is_down and packet.data[1] == int(Code.POST)

    def is_acknowledgement(self, packet: Packet) -> bool:
        return packet.is_down and packet.data[1] == int(Code.CHANGED)

    def lose_connection(self) -> None:
        """Do nothing: each request brings its credential."""

    def close(self) -> None:
        """Do nothing: no connection is left."""


def messages(name: str, first: int, how_many: int) -> list[bytes]:
    """Return messages whose keys are their `seq`, and every third one's the hash of its bytes."""
    return [
        b'{"ts":"%s.%06dZ","metrics":{"n":%d}}' % (STARTED, number, number)
        if number % 3 == 2
        else b'{"boot":"%s","seq":%d,"metrics":{"n":%d}}' % (name.encode(), number, number)
        for number in range(first, first + how_many)
    ]
