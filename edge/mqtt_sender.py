"""Devices over MQTT 5: a connection for each, opened with its first record, and again if lost."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import cast

from edge.device_outbox import Posting, Settled
from edge.mqtt.decoding import decode
from edge.mqtt.encoding import encode
from edge.mqtt.frames import Framer
from edge.mqtt.packets import PINGREQ, PUBACK, Ack, Connack, Connect, Disconnect, Ping, Publish
from edge.mqtt.wire import V5

KEEP_ALIVE_S = 300
WINDOW = 200
AGAIN_S = 0.5
MOST_AGAIN_S = 8.0
MOST_AT_ONCE = 200
"""Connections that are opened at the same time."""
RETRY_CODES = (0x83, 0x88, 0x89, 0x97)
"""Refusals that pass: no store, busy, over a limit."""

Token = Callable[[str], str]


class _Device(asyncio.Protocol):
    """One device's connection."""

    def __init__(self, sender: "MqttSender", device_full: str) -> None:
        self._sender = sender
        self._device_full = device_full
        self._topic = f"devices/{device_full}/telemetry"
        self._framer = Framer()
        self._transport: asyncio.Transport | None = None
        self._is_in = False
        self._packet_id = 0
        self._again_s = AGAIN_S
        self._window = WINDOW
        self.queue: deque[Posting] = deque()
        self.inflight: dict[int, Posting] = {}

    async def connect(self) -> None:
        """Open the connection; try again, ever more slowly, until it is there."""
        sender = self._sender
        while not sender.is_closed:
            try:
                async with sender.at_once:
                    await sender.loop.create_connection(lambda: self, sender.host, sender.port)
            except OSError:
                await self._rest()
                continue
            return

    async def _rest(self) -> None:
        await asyncio.sleep(self._again_s)
        self._again_s = min(self._again_s * 2, MOST_AGAIN_S)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._framer, self._is_in = Framer(), False
        name = self._device_full
        password = self._sender.token(name).encode()
        connect = Connect(V5, name, True, KEEP_ALIVE_S, name, password)
        self._transport.write(encode(connect, V5))

    def data_received(self, data: bytes) -> None:
        for head, body in self._framer.feed(data):
            packet = decode(head, body, V5)
            if isinstance(packet, Ack) and packet.kind == PUBACK:
                self._acknowledged(packet)
            elif isinstance(packet, Connack):
                self._let_in(packet)
            elif isinstance(packet, Disconnect) and self._transport:
                self._transport.close()

    def _let_in(self, packet: Connack) -> None:
        if packet.code:
            # Nobody can mend it by waiting, so nothing of this device goes through.
            why = packet.properties.reason or f"CONNACK {packet.code:#x}"
            for posting in (*self.inflight.values(), *self.queue):
                self._sender.settled(posting, f"not let in: {why}")
            self.inflight.clear()
            self.queue.clear()
            return
        self._is_in, self._again_s = True, AGAIN_S
        self._window = min(packet.properties.receive_maximum or WINDOW, WINDOW)
        for packet_id, posting in self.inflight.items():
            self._write(packet_id, posting, is_again=True)
        self.pump()

    def _acknowledged(self, packet: Ack) -> None:
        posting = self.inflight.pop(packet.packet_id, None)
        if posting is None:
            return
        if packet.code in RETRY_CODES:
            self._sender.loop.call_later(self._again_s, self._later, posting)
            self._again_s = min(self._again_s * 2, MOST_AGAIN_S)
        elif packet.code >= 0x80:
            said = packet.properties.reason or f"{packet.code:#x}"
            self._sender.settled(posting, said.partition(":")[0])
        else:
            self._again_s = AGAIN_S
            self._sender.settled(posting, None)
        self.pump()

    def _later(self, posting: Posting) -> None:
        self.queue.append(posting)
        self.pump()

    def pump(self) -> None:
        """Send what is queued, as far as the window allows."""
        while self._is_in and self.queue and len(self.inflight) < self._window:
            posting = self.queue.popleft()
            self._packet_id = self._packet_id % 65_535 + 1
            self.inflight[self._packet_id] = posting
            self._write(self._packet_id, posting, is_again=False)

    def _write(self, packet_id: int, posting: Posting, *, is_again: bool) -> None:
        assert self._transport is not None
        value = posting.record.value
        publish = Publish(self._topic, value, 1, packet_id, dup=is_again)
        self._transport.write(encode(publish, V5))

    def ping(self) -> None:
        """Show that the device is there."""
        if self._is_in and self._transport:
            self._transport.write(encode(Ping(PINGREQ), V5))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport, self._is_in = None, False
        if not self._sender.is_closed and (self.inflight or self.queue):
            self._sender.start(self._come_back())

    async def _come_back(self) -> None:
        await self._rest()
        await self.connect()

    def close(self) -> None:
        """Say goodbye."""
        if self._transport is not None:
            self._transport.write(encode(Disconnect(), V5))
            self._transport.close()


class MqttSender:
    """All devices of an outbox."""

    def __init__(self, settled: Settled, host: str, port: int, token: Token) -> None:
        self.settled = settled
        self.host, self.port, self.token = host, port, token
        self.loop = asyncio.get_event_loop()
        self.at_once = asyncio.Semaphore(MOST_AT_ONCE)
        self.is_closed = False
        self._devices: dict[str, _Device] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._pinging = self.loop.call_later(KEEP_ALIVE_S, self._ping)

    def send(self, posting: Posting) -> None:
        """Send a record as its device."""
        device = self._devices.get(posting.device_full)
        if device is None:
            device = self._devices[posting.device_full] = _Device(self, posting.device_full)
            self.start(device.connect())
        device.queue.append(posting)
        device.pump()

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Do something beside the rest."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _ping(self) -> None:
        for device in self._devices.values():
            device.ping()
        self._pinging = self.loop.call_later(KEEP_ALIVE_S, self._ping)

    async def close(self) -> None:
        """Say goodbye."""
        self.is_closed = True
        self._pinging.cancel()
        for device in self._devices.values():
            device.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.sleep(0)
