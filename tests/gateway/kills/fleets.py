"""A fleet of MQTT 5 devices that send on whatever they are told, and remember each answer."""

import asyncio
import time
from typing import cast

from edge.mqtt.decoding import decode
from edge.mqtt.encoding import encode
from edge.mqtt.frames import Framer
from edge.mqtt.packets import PUBACK, Ack, Connack, Connect, Publish
from edge.mqtt.wire import V5

REFUSED_FROM = 0x80
EVERY_S = 0.05


class FleetDevice(asyncio.Protocol):
    """One connection; each message is sent once."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sent: list[bytes] = []
        self.acknowledged: list[bytes] = []
        self.refused: list[tuple[bytes, str]] = []
        """Messages, and what the device was told of them."""
        self.let_in = asyncio.Event()
        self._waiting: dict[int, bytes] = {}
        self._framer = Framer()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(encode(Connect(V5, self.name, True, 600, self.name), V5))

    def data_received(self, data: bytes) -> None:
        for head, body in self._framer.feed(data):
            packet = decode(head, body, V5)
            if isinstance(packet, Connack):
                self.let_in.set()
            elif isinstance(packet, Ack) and packet.kind == PUBACK:
                message = self._waiting.pop(packet.packet_id)
                if packet.code < REFUSED_FROM:
                    self.acknowledged.append(message)
                else:
                    self.refused.append((message, packet.properties.reason or ""))

    def send(self) -> None:
        """Send the next message."""
        number = len(self.sent)
        message = b'{"seq":%d,"metrics":{"n":%d}}' % (number, number)
        self.sent.append(message)
        packet_id = number % 65_535 + 1
        self._waiting[packet_id] = message
        publish = Publish(f"devices/{self.name}/telemetry", message, 1, packet_id)
        self._transport.write(encode(publish, V5))

    @property
    def unanswered(self) -> int:
        return len(self._waiting)

    def close(self) -> None:
        self._transport.close()


class Fleet:
    """Devices that together send so many messages a second."""

    def __init__(self, name: str, size: int) -> None:
        self.devices = [FleetDevice(f"{name}-{number}") for number in range(size)]

    async def run(self, port: int, *, per_s: int, seconds: float, answers_within_s: float) -> None:
        """Connect, send, and wait for answers."""
        loop = asyncio.get_running_loop()
        for device in self.devices:
            await loop.create_connection(lambda d=device: d, "127.0.0.1", port)  # type: ignore[misc]
            await asyncio.wait_for(device.let_in.wait(), 10)
        started, sent = time.monotonic(), 0
        while (passed := time.monotonic() - started) < seconds:
            for _ in range(int(passed * per_s) - sent):
                self.devices[sent % len(self.devices)].send()
                sent += 1
            await asyncio.sleep(EVERY_S)
        give_up = time.monotonic() + answers_within_s
        while any(each.unanswered for each in self.devices) and time.monotonic() < give_up:
            await asyncio.sleep(EVERY_S)
        for device in self.devices:
            device.close()
        await asyncio.sleep(EVERY_S)
