"""Many MQTT clients in one process, as cheap as Python makes them."""

import asyncio
import socket
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
    b'{"v":1,"ts":"2026-11-21T08:%02d:%02d.%03dZ","boot":"b7","seq":%d,"metrics":{"temperature":%.1f,'
    b'"door_open":true,"state":"idle","humidity":%.2f,"pressure":%.1f}}'
)
FIRST_SEQ = 1_000_000_000
HOST = "127.0.0.1"
PUBACK_BYTES = 4
CONNACK = b"\x20\x02\0\0"
CONNACK_BYTES = len(CONNACK)
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


def body(number: int) -> bytes:
    """Return a message like no other of its device, and as long as each: 155 bytes."""
    drawn = number * 7_919
    metrics = 10 + drawn % 900 / 10, 10 + drawn % 8_999 / 100, 1_000 + drawn % 599 / 10
    return BODY % (number // 60 % 60, number % 60, drawn % 1000, FIRST_SEQ + number, *metrics)


def messages(device: int, count: int) -> list[bytes]:
    """Return so many packets of a device, each with a packet id and a message of its own."""
    first = device * 97
    return [
        encode(Publish(f"devices/d{device}/telemetry", body(first + number), 1, number + 1), V311)
        for number in range(count)
    ]


def _connect(device: str, key: bytes) -> bytes:
    password = local_token(key, device, now=time.time()).encode() if key else b"any"
    return encode(Connect(V311, device, True, 600, device, password), V311)


def let_in(target: Target, device: int) -> socket.socket:
    """Connect a device by a plain socket, and return it once the device is let in."""
    address = HOST, target.port
    opened = socket.create_connection(address, source_address=source_of(HOST, device))
    opened.sendall(_connect(f"d{device}", target.key))
    answer = opened.recv(CONNACK_BYTES, socket.MSG_WAITALL)
    if answer != CONNACK:
        raise SystemExit(f"device {device} is not let in: {answer.hex() or 'closed'}")
    return opened


class Client(asyncio.Protocol):
    """One device; it counts acknowledgements by their length."""

    def __init__(self, number: int, key: bytes) -> None:
        self.name = f"d{number}"
        self.packet = messages(number, 1)[0]
        self.is_in = self.is_lost = False
        self.transport: asyncio.Transport
        self._key = key
        self._left = CONNACK_BYTES

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(_connect(self.name, self._key))

    def data_received(self, data: bytes) -> None:
        done, self._left = divmod(len(data) + PUBACK_BYTES - self._left, PUBACK_BYTES)
        self._left = PUBACK_BYTES - self._left
        if not self.is_in and done:
            # A CONNACK is as long as a PUBACK.
            self.is_in = data[:4] == CONNACK
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
