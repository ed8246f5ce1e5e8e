"""A device's connection over MQTT 5: let in, sending in its window, back again when it is lost."""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, cast

from edge.again import Again
from edge.device_outbox import Posting
from edge.mqtt.decoding import decode
from edge.mqtt.encoding import encode
from edge.mqtt.frames import Framer
from edge.mqtt.packets import PINGREQ, PUBACK, Ack, Connack, Connect, Disconnect, Ping, Publish
from edge.mqtt.wire import LONGEST, V5, MqttError

if TYPE_CHECKING:
    from edge.mqtt_sender import MqttSender

KEEP_ALIVE_S = 300
WINDOW = 200
OVERHEAD = 10
"""Bytes of a PUBLISH beside its topic and payload: head, lengths, packet id, no properties."""
LET_IN_WITHIN_S = 30.0
RETRY_CODES = (0x83, 0x88, 0x89, 0x97)
"""Refusals that pass: no store, busy, over a limit."""
TOO_LARGE = "too_large"
"""Told by 0x83 too, and does not pass."""


class MqttDevice(asyncio.Protocol):
    """One device's connection."""

    def __init__(self, sender: "MqttSender", device_full: str, source: tuple[str, int] | None):
        """Come from `source`, where that is given."""
        self._sender = sender
        self._device_full = device_full
        self._source = source
        self._topic = f"devices/{device_full}/telemetry"
        self._framer = Framer()
        self._transport: asyncio.Transport | None = None
        self._answered: asyncio.Future[None] | None = None
        self._again = Again()
        self._packet_id = 0
        self._window = WINDOW
        self._largest = LONGEST
        self._refusal: str | None = None
        self._queue: deque[Posting] = deque()
        self._inflight: dict[int, Posting] = {}
        self.is_in = False

    async def connect(self) -> None:
        """Open the connection; try again, ever more slowly, until it is let in or refused."""
        sender = self._sender
        while not (sender.is_closed or self.is_in or self._refusal):
            async with sender.at_once:
                is_answered = await self._tried()
            if not is_answered:
                await self._again.rest()

    async def _tried(self) -> bool:
        """Connect once, and wait for the CONNACK."""
        sender = self._sender
        self._answered = sender.loop.create_future()
        try:
            async with asyncio.timeout(LET_IN_WITHIN_S):
                await sender.loop.create_connection(
                    lambda: self, sender.host, sender.port, local_addr=self._source
                )
                await self._answered
        except OSError:  # TimeoutError is one
            if self._transport is not None:
                self._transport.abort()
        finally:
            self._answered = None
        return self.is_in or self._refusal is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._framer = Framer()
        login = self._sender.login(self._device_full)
        connect = Connect(
            V5, login.client_id, True, KEEP_ALIVE_S, login.username, login.password.encode()
        )
        self._transport.write(encode(connect, V5))

    def data_received(self, data: bytes) -> None:
        try:
            for head, body in self._framer.feed(data):
                packet = decode(head, body, V5)
                if isinstance(packet, Ack) and packet.kind == PUBACK:
                    self._acknowledged(packet)
                elif isinstance(packet, Connack):
                    self._connack(packet)
                elif isinstance(packet, Disconnect) and self._transport:
                    self._transport.close()
        except MqttError:
            if self._transport:
                self._transport.abort()

    def _connack(self, packet: Connack) -> None:
        if packet.code in RETRY_CODES:
            return  # The other side closes, and the device comes again.
        if packet.code:
            self._refuse(packet.properties.reason or f"CONNACK {packet.code:#x}")
        else:
            self.is_in = True
            self._sender.entered()
            self._again.reset()
            self._window = min(packet.properties.receive_maximum or WINDOW, WINDOW)
            self._largest = packet.properties.maximum_packet_size or LONGEST
            for packet_id, posting in self._inflight.items():
                self._write(packet_id, posting, is_again=True)
            self._pump()
        if self._answered and not self._answered.done():
            self._answered.set_result(None)

    def _refuse(self, why: str) -> None:
        """Give up: nobody can mend it by waiting, so nothing of this device goes through."""
        self._refusal = f"not let in: {why}"
        self._sender.refused(why)
        for posting in (*self._inflight.values(), *self._queue):
            self._sender.settled(posting, self._refusal)
        self._inflight.clear()
        self._queue.clear()

    def send(self, posting: Posting) -> None:
        """Send a record, or say at once that the device was not let in."""
        if self._refusal is not None:
            self._sender.settled(posting, self._refusal)
            return
        self._queue.append(posting)
        self._pump()

    def _acknowledged(self, packet: Ack) -> None:
        posting = self._inflight.pop(packet.packet_id, None)
        if posting is None:
            return
        reason = (packet.properties.reason or f"{packet.code:#x}").partition(":")[0]
        if packet.code in RETRY_CODES and reason != TOO_LARGE:
            self._sender.loop.call_later(self._again.next_s(), self.send, posting)
        elif packet.code >= 0x80:
            self._sender.settled(posting, reason)
        else:
            self._again.reset()
            self._sender.settled(posting, None)
        self._pump()

    def _pump(self) -> None:
        """Send what is queued, as far as the window allows."""
        while self.is_in and self._queue and len(self._inflight) < self._window:
            posting = self._queue.popleft()
            if posting.is_over:
                continue
            if len(posting.record.value) + len(self._topic) + OVERHEAD > self._largest:
                # The other side would close the connection for it, each time anew.
                self._sender.settled(posting, TOO_LARGE)
                continue
            self._packet_id = self._packet_id % 65_535 + 1
            self._inflight[self._packet_id] = posting
            self._write(self._packet_id, posting, is_again=False)

    def _write(self, packet_id: int, posting: Posting, *, is_again: bool) -> None:
        assert self._transport is not None
        posting.written()
        publish = Publish(self._topic, posting.record.value, 1, packet_id, dup=is_again)
        self._transport.write(encode(publish, V5))

    def ping(self) -> None:
        """Show that the device is there."""
        if self.is_in and self._transport:
            self._transport.write(encode(Ping(PINGREQ), V5))

    def connection_lost(self, exc: Exception | None) -> None:
        was_in, self.is_in, self._transport = self.is_in, False, None
        if self._answered and not self._answered.done():
            self._answered.set_exception(ConnectionResetError("closed without a CONNACK"))
        elif was_in and not self._sender.is_closed:
            self._sender.lost(self._come_back())

    async def _come_back(self) -> None:
        await self._again.rest()
        await self.connect()

    def close(self) -> None:
        """Say goodbye."""
        if self._transport is not None:
            self._transport.write(encode(Disconnect(), V5))
            self._transport.close()
