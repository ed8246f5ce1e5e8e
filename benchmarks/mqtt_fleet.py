"""Many MQTT clients in one process, as cheap as Python makes them."""

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar, cast

from edge.loopback import source_of
from edge.mqtt.encoding import encode
from edge.mqtt.packets import Connect, Publish
from edge.mqtt.wire import V311
from edge.open_files import allow_open_files
from telemetry.local_tokens import local_token

BODY = (
    b'{"v":1,"ts":"2026-11-21T08:00:00.123Z","boot":"b7","seq":%d,"metrics":{"temperature":21.4,'
    b'"door_open":true,"state":"idle","humidity":40.25,"pressure":1013.2}}'
)
HOST = "127.0.0.1"
PUBACK_BYTES = 4
CONNACK_BYTES = 4
AT_ONCE = 100
LET_IN_WITHIN_S = 60.0


class Target(NamedTuple):
    """What is loaded: its port and process, and the key of tokens, empty where none are asked."""

    port: int
    pid: int
    key: bytes

    @classmethod
    def read(cls, port: str, pid: str, key: str) -> "Target":
        """Read it from a command line; the key in hex, or `-`."""
        return cls(int(port), int(pid), b"" if key == "-" else bytes.fromhex(key))


class Client(asyncio.Protocol):
    """One device; it counts acknowledgements by their length."""

    def __init__(self, number: int, key: bytes) -> None:
        self.name = f"d{number}"
        self.packet = encode(
            Publish(f"devices/{self.name}/telemetry", BODY % 1_000_000_000, 1, 1), V311
        )
        self.is_in = self.is_lost = False
        self.transport: asyncio.Transport
        self._key = key
        self._left = CONNACK_BYTES

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        password = b"any"
        if self._key:
            password = local_token(self._key, self.name, now=time.time()).encode()
        connect = Connect(V311, self.name, True, 600, self.name, password)
        self.transport.write(encode(connect, V311))

    def data_received(self, data: bytes) -> None:
        done, self._left = divmod(len(data) + PUBACK_BYTES - self._left, PUBACK_BYTES)
        self._left = PUBACK_BYTES - self._left
        if not self.is_in and done:
            # A CONNACK is as long as a PUBACK.
            self.is_in = data[:4] == b"\x20\x02\0\0"
            done -= 1
        if done:
            self.acknowledged(done)

    def acknowledged(self, count: int) -> None:
        """Take so many acknowledgements."""

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True


C = TypeVar("C", bound=Client)


async def connected(made: Callable[[int], C], port: int, count: int) -> list[C]:
    """Connect so many clients, and return them once all are let in."""
    allow_open_files(count)
    loop, clients = asyncio.get_running_loop(), [made(number) for number in range(count)]
    for first in range(0, count, AT_ONCE):
        opening = [
            loop.create_connection(
                lambda n=number: clients[n],
                HOST,
                port,
                local_addr=source_of(HOST, number),
            )
            for number in range(first, min(first + AT_ONCE, count))
        ]
        await asyncio.gather(*opening)
    give_up = time.monotonic() + LET_IN_WITHIN_S
    while not all(client.is_in for client in clients):
        lost = sum(client.is_lost for client in clients)
        if lost or time.monotonic() > give_up:
            raise SystemExit(f"{lost} connections lost, others not let in")
        await asyncio.sleep(0.05)
    return clients
