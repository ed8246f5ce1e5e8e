"""Relays between processes: each packet passes here, and a trap may kill at one of them."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple, cast

Address = tuple[str, int]


class Packet(NamedTuple):
    """What passes: on which connection, which way, and its bytes."""

    connection: int
    is_down: bool
    """Whether it is an answer."""
    data: bytes


@dataclass
class Trap:
    """Does something at the first packet that fits, which is passed on before that or never."""

    fits: Callable[[Packet], bool]
    is_passed_on: bool
    spring: Callable[[], None]
    sprung: threading.Event = field(default_factory=threading.Event)
    is_over: bool = False

    def passes(self, packet: Packet) -> bool:
        """Say whether a packet may pass; spring at the first that must not.

        What was sent beside it, before it sprang, must not pass either.
        """
        if self.is_over or self.is_passed_on or not self.fits(packet):
            return True
        if not self.sprung.is_set():
            self.close()
        return False

    def release(self) -> None:
        """Let all pass again."""
        self.is_over = True

    def passed(self, packet: Packet) -> None:
        """Spring at a packet that has passed."""
        if self.is_passed_on and not self.sprung.is_set() and self.fits(packet):
            self.close()

    def close(self) -> None:
        """Spring."""
        self.spring()
        self.sprung.set()


def no_trap() -> Trap:
    """Return a trap that never springs."""
    return Trap(lambda _packet: False, False, lambda: None)


def whole(buffer: bytearray) -> Iterator[bytes]:
    """Cut nothing: what comes at once is a packet."""
    yield bytes(buffer)
    buffer.clear()


def by_length(buffer: bytearray) -> Iterator[bytes]:
    """Cut frames that begin with their length in four bytes, as Kafka's do."""
    while len(buffer) >= 4 and len(buffer) >= (size := 4 + int.from_bytes(buffer[:4])):
        yield bytes(buffer[:size])
        del buffer[:size]


class Relay:
    """Passes on what comes to a port of its own, over TCP and UDP, on a thread of its own."""

    def __init__(self, cut: Callable[[bytearray], Iterator[bytes]] = whole) -> None:
        self.trap = no_trap()
        self.target = 0
        """The port behind it."""
        self._cut = cut
        self._numbers = count()
        self.transports: list[asyncio.BaseTransport] = []
        self._loop = asyncio.new_event_loop()
        self.port: int = self._loop.run_until_complete(self._listen())
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = int(self._server.sockets[0].getsockname()[1])
        await self._loop.create_datagram_endpoint(
            lambda: _Datagrams(self), local_addr=("127.0.0.1", port)
        )
        return port

    def number(self) -> int:
        """Return the next connection's number."""
        return next(self._numbers)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = self.number()
        self.transports.append(writer.transport)
        try:
            answers, requests = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        self.transports.append(requests.transport)
        await asyncio.gather(
            self._pass_on(number, reader, requests, is_down=False),
            self._pass_on(number, answers, writer, is_down=True),
        )

    async def _pass_on(
        self,
        number: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        is_down: bool,
    ) -> None:
        buffer = bytearray()
        with suppress(OSError):
            while piece := await reader.read(65_536):
                buffer += piece
                for data in self._cut(buffer):
                    await self._pass(Packet(number, is_down, data), writer)
        writer.close()

    async def _pass(self, packet: Packet, writer: asyncio.StreamWriter) -> None:
        # One that is set once the packet is there has nothing to do with it.
        trap = self.trap
        if trap.passes(packet):
            writer.write(packet.data)
            await writer.drain()
            trap.passed(packet)

    def close(self) -> None:
        """Pass on nothing more."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        for transport in self.transports:
            transport.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0.01)


class _Datagrams(asyncio.DatagramProtocol):
    """The UDP half: a socket towards the target for each client."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._onward: dict[Address, asyncio.Task[_Onward]] = {}
        self.transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)
        self._relay.transports.append(transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if addr not in self._onward:
            self._onward[addr] = asyncio.ensure_future(self._opened(addr))
        self._onward[addr].add_done_callback(lambda done: done.result().send(data))

    async def _opened(self, client: Address) -> "_Onward":
        relay = self._relay
        _, onward = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Onward(relay, self.transport, client),
            remote_addr=("127.0.0.1", relay.target),
        )
        return onward


class _Onward(asyncio.DatagramProtocol):
    """One client's datagrams; nobody there is as good as a lost datagram."""

    def __init__(self, relay: Relay, back: asyncio.DatagramTransport, client: Address) -> None:
        self._relay, self._back, self._client = relay, back, client
        self._number = relay.number()
        self._transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        self._relay.transports.append(transport)

    def send(self, data: bytes) -> None:
        packet = Packet(self._number, False, data)
        trap = self._relay.trap
        if trap.passes(packet):
            self._transport.sendto(data)
            trap.passed(packet)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        packet = Packet(self._number, True, data)
        trap = self._relay.trap
        if trap.passes(packet):
            self._back.sendto(data, self._client)
            trap.passed(packet)
