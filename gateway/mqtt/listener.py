"""The MQTT listener on asyncio: sockets below connections, and the clock that ends them."""

import asyncio
import ssl
import time
from collections.abc import Callable
from typing import cast

from gateway.mqtt.clock_steps import ClockSteps, Step
from gateway.mqtt.connecting import Desk, Peer
from gateway.mqtt.connection import Connection
from gateway.mqtt.wire import MOST_UNSENT, Sink
from gateway.probes import probe
from gateway.secure import shown_certificate

BACKLOG = 4_096
SHUTTING_DOWN = 0x8B
LINGER_S = 2.0
"""How long a client that is being closed may write on; a reset would take our last words away."""


class _Socket(asyncio.Protocol):
    """One socket: hands bytes to its connection, and is the connection's wire."""

    def __init__(self, listener: "MqttListener") -> None:
        self._listener = listener
        self._transport: asyncio.Transport
        self.connection: Connection
        self._sink: Sink

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=MOST_UNSENT)
        probe(transport.get_extra_info("socket"))
        listener = self._listener
        self._sink = Sink(self, listener.dirty)
        self.connection = Connection(listener.desk, self._sink, listener.peer(transport))
        self.connection.heard_at = time.time_ns() // 1000
        listener.sockets.add(self)
        self._receive: Callable[[bytes, int], None] = self.connection.receive

    def data_received(self, data: bytes) -> None:
        self._receive(data, time.time_ns() // 1000)
        self._listener.stir()

    def eof_received(self) -> bool:
        """Stay until a client that writes no more has its answers: it may still read."""
        self._listener.flush()
        if not self._transport.can_write_eof() or not self.connection.is_owed:
            return False
        self._sink.wire = _Last(self)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._listener.sockets.discard(self)
        self._sink.wire = None
        self.connection.lost()

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def close(self) -> None:
        transport = self._transport
        if not transport.can_write_eof():
            transport.close()
            return
        transport.write_eof()
        self._receive = _unheard
        if not transport.is_reading():
            transport.resume_reading()
        self._listener.loop.call_later(LINGER_S, transport.close)

    def pause_writing(self) -> None:
        """Close on a client that reads far less than it asks for."""
        self._transport.abort()

    def pause(self) -> None:
        self._transport.pause_reading()

    def resume(self) -> None:
        # What it has said meanwhile lies there unread.
        self.connection.heard_at = time.time_ns() // 1000
        self._transport.resume_reading()

    def leave(self) -> None:
        """Close once what was written is sent."""
        self._transport.close()


class _Last:
    """The wire to a client that writes no more: closed with the last answer that it is owed."""

    def __init__(self, socket: _Socket) -> None:
        self._socket = socket

    def write(self, data: bytes) -> None:
        self._socket.write(data)
        if not self._socket.connection.is_owed:
            self._socket.leave()

    def close(self) -> None:
        self._socket.leave()

    def pause(self) -> None:
        """Do nothing: nothing comes."""

    def resume(self) -> None:
        """Do nothing: nothing comes."""


def _steady_us() -> int:
    return time.monotonic_ns() // 1000


def _unheard(_data: bytes, _now: int) -> None:
    """Let go what comes after the end."""


class MqttListener:
    """All MQTT sockets of the gateway."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.dirty: list[Sink] = []
        self.sockets: set[_Socket] = set()
        self._servers: list[asyncio.Server] = []
        self._is_stirred = False
        self._steps = ClockSteps(time.time_ns() // 1000, _steady_us())
        self.loop = asyncio.get_running_loop()
        desk.entrance.downlinks.add(desk.sessions.deliver)

    async def listen(self, host: str, port: int, secure: ssl.SSLContext | None = None) -> int:
        """Open a port, and return it."""
        # Who does not even end the handshake is nobody that the clock below could see.
        within_s = self.desk.options.connect_within_s if secure else None
        server = await self.loop.create_server(
            lambda: _Socket(self),
            host,
            port,
            ssl=secure,
            backlog=BACKLOG,
            ssl_handshake_timeout=within_s,
        )
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    def peer(self, transport: asyncio.BaseTransport) -> Peer:
        """Return who is at the other end, as the transport knows it."""
        name = transport.get_extra_info("peername")
        secure = cast("ssl.SSLObject | None", transport.get_extra_info("ssl_object"))
        address = str(name[0]) if name else ""
        if secure is None:
            return Peer(address)
        shown = shown_certificate(secure, self.desk.entrance.directory)
        return Peer(address, shown, is_tls=True)

    def stir(self) -> None:
        """Flush what was written at the end of this turn of the loop."""
        if self.dirty and not self._is_stirred:
            self._is_stirred = True
            self.loop.call_soon(self.flush)

    def flush(self) -> None:
        """Send what connections have written."""
        self._is_stirred = False
        self.desk.sessions.commit()
        while self.dirty:
            dirty = self.dirty[:]
            self.dirty.clear()
            for sink in dirty:
                sink.flush()

    def tick(self) -> None:
        """Look at the clocks, and do what is due."""
        self.keep_time(time.time_ns() // 1000, _steady_us())

    def keep_time(self, now_us: int, steady_us: int) -> None:
        """Close who is silent, publish wills that are due, forget sessions that have ended.

        `steady_us` is of a clock that nobody sets.
        """
        step = self._steps.found(now_us, steady_us)
        if step is not None:
            self._set(step)
        for each in list(self.sockets):
            connection = each.connection
            if (now_us - connection.heard_at) / 1_000_000 > connection.silent_after_s:
                connection.too_silent()
        for session in self.desk.sessions:
            self.desk.settle(session, now_us / 1_000_000)
        self.flush()

    def _set(self, step: Step) -> None:
        """Go by a clock that was set: silence, wills and sessions last as long as they would."""
        for each in self.sockets:
            if step.is_before(each.connection.heard_at):
                each.connection.heard_at += step.by_us
        for session in self.desk.sessions:
            session.set_clock(step)

    async def close(self) -> None:
        """Take no more, and send everybody away."""
        for server in self._servers:
            server.close()
        for each in list(self.sockets):
            each.connection.fail(SHUTTING_DOWN, "the gateway stops")
        self.flush()
        for server in self._servers:
            await server.wait_closed()
