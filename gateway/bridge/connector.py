"""Keeps a connection to the broker: opened again whenever it ends, ever more slowly."""

import asyncio
import ssl
import sys
import time
from dataclasses import dataclass

from edge.mqtt.wire import MqttError
from gateway.bridge.intake import Intake
from gateway.bridge.session import SessionFile
from gateway.bridge.subscriber import Login, SentAwayError, Subscriber
from gateway.counters import Counters
from telemetry.mqtt_address import MqttAddress

AGAIN_S = 0.5
MOST_AGAIN_S = 30.0
STEADY_S = 30.0
"""A connection that lasted so long was a good one: the next one is opened soon."""
OPENED_WITHIN_S = 10.0
TICK_S = 0.05
FULL_S = 0.005
PIECE = 64 * 1024
FAILURES = (OSError, MqttError, SentAwayError, TimeoutError, EOFError)


@dataclass(slots=True)
class Connector:
    """One bridge's way to its broker."""

    address: MqttAddress
    login: Login
    intake: Intake
    session: SessionFile
    counters: Counters
    secure: ssl.SSLContext | None = None
    complaint: str | None = "not connected yet"
    """What keeps messages from coming; None while they may."""
    _heard_at: float = 0.0
    _said_at: float = 0.0
    _subscriber: Subscriber | None = None
    _writer: asyncio.StreamWriter | None = None

    async def run(self) -> None:
        """Connect, again and again, until cancelled."""
        again_s = AGAIN_S
        while True:
            began = time.monotonic()
            try:
                await self._connected()
            except FAILURES as error:
                self._lost(error)
            if time.monotonic() - began > STEADY_S:
                again_s = AGAIN_S
            print(  # noqa: T201
                f"bridge: {self.complaint}; again in {again_s:.1f} s", file=sys.stderr, flush=True
            )
            await asyncio.sleep(again_s)
            again_s = min(again_s * 2, MOST_AGAIN_S)

    def _lost(self, error: BaseException) -> None:
        self.counters.add("bridge_losses")
        words = str(error) or "no answer in time"
        self.complaint = f"{self.address}: {words}"

    async def _connected(self) -> None:
        """Speak over one connection until it ends, which is always by an error."""
        async with asyncio.timeout(OPENED_WITHIN_S):
            reader, writer = await asyncio.open_connection(
                self.address.host, self.address.port, ssl=self.secure
            )
        self._writer = writer
        self._heard_at = time.monotonic()
        self._subscriber = Subscriber(
            self.login, self.intake, self._write, outdated=self.session.outdated
        )
        try:
            self._subscriber.greet()
            await self._read(reader, self._subscriber)
        except MqttError as error:
            self._subscriber.leave(error.code)
            raise
        finally:
            self._subscriber = self._writer = None
            self.intake.end()
            writer.close()

    def _write(self, data: bytes) -> None:
        if self._writer is not None:
            self._said_at = time.monotonic()
            self._writer.write(data)

    async def _read(self, reader: asyncio.StreamReader, subscriber: Subscriber) -> None:
        while data := await self._piece(reader):
            self._heard_at = time.monotonic()
            subscriber.receive(data, time.time_ns() // 1000)
            if subscriber.is_subscribed and self.complaint is not None:
                self.complaint = None
                self.session.subscribed()
                self.counters.add("bridge_connects")
                print(  # noqa: T201
                    f"bridge: subscribed at {self.address}", file=sys.stderr, flush=True
                )
        raise EOFError("the broker closed the connection")

    async def _piece(self, reader: asyncio.StreamReader) -> bytes:
        """Read what is there, once there is room for it."""
        while self.intake.is_full:
            await asyncio.sleep(FULL_S)
            # Nobody listens to it meanwhile, so it is not silent.
            self._heard_at = time.monotonic()
        return await reader.read(PIECE)

    async def tick(self) -> None:
        """Keep time: what is held is tried again, silence is broken, a silent broker given up."""
        while True:
            await asyncio.sleep(TICK_S)
            self.keep(time.monotonic())

    def keep(self, now: float) -> None:
        """Do what is due at a moment of the monotonic clock."""
        self.intake.tick(now)
        subscriber, writer = self._subscriber, self._writer
        if subscriber is None or writer is None:
            return
        keep_alive_s = subscriber.keep_alive_s
        if not keep_alive_s:
            return
        if now - self._heard_at > 1.5 * keep_alive_s:
            writer.transport.abort()
        elif subscriber.is_subscribed and now - self._said_at > keep_alive_s / 2:
            subscriber.ping()

    async def leave(self, settled_within_s: float) -> None:
        """Take nothing more, answer what becomes durable in time, and say goodbye."""
        if self._writer is None or self._subscriber is None:
            return
        self._writer.transport.pause_reading()  # type: ignore[attr-defined]
        give_up = time.monotonic() + settled_within_s
        while self.intake.pending and not self.intake.is_held and time.monotonic() < give_up:
            await asyncio.sleep(TICK_S)
        self._subscriber.leave()
        await self._writer.drain()
