"""MQTT sockets: clients that are silent, slow, or gone without a word."""

import asyncio
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509

from edge.mqtt.decoding import decode
from edge.mqtt.encoding import encode
from edge.mqtt.frames import Framer
from edge.mqtt.packets import (
    PINGREQ,
    PUBACK,
    Ack,
    Connack,
    Connect,
    Ping,
    Publish,
    Subscribe,
    Subscription,
)
from edge.mqtt.wire import V5, V311
from gateway.downlink import Downlink
from gateway.mqtt.connecting import MqttOptions
from gateway.mqtt.listener import LINGER_S
from gateway.mqtt.uplink import MOST_PENDING
from gateway.mqtt.wire import MOST_UNSENT
from tests.gateway.certificates import Authority
from tests.gateway.entrances import MESSAGE, house
from tests.gateway.served import Served

WITHIN_S = 0.5
PATIENCE_S = 20.0
CONNACK = encode(Connack(0), V311)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    running = Served(house(is_anonymous=True), options=MqttOptions(connect_within_s=WITHIN_S))
    yield running
    running.stop()


class Caller:
    """A client that writes and reads as a test says."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self.spoke_at = time.monotonic()
        self.sock = socket.create_connection(("127.0.0.1", served.port("mqtt")), PATIENCE_S)

    def connect(self, keep_alive_s: int = 0) -> None:
        self.spoke_at = time.monotonic()
        self.sock.sendall(encode(Connect(V311, "c1", True, keep_alive_s, "d1"), V311))
        assert self.sock.recv(len(CONNACK)) == CONNACK

    def packets(self, version: int) -> list[str]:
        """Return the names of the packets that come until the end, which may be a reset."""
        data = bytearray()
        with suppress(ConnectionResetError):
            while more := self.sock.recv(4096):
                data += more
        return [type(decode(*found, version)).__name__ for found in Framer().feed(bytes(data))]

    def is_closed_by_ticks(self, wait_s: float) -> bool:
        """Have the gateway look after a while, and say whether it closed."""
        self._served.do(ticked(self._served, wait_s))
        return self._ends_within(PATIENCE_S)

    def is_left_by_ticks(self, wait_s: float, silent_s: float) -> bool:
        """Have the gateway look after a while, and say whether it left who may be silent so long.

        A machine that stalled makes it longer, and then nothing is said by a close.
        """
        self._served.do(ticked(self._served, wait_s))
        return not self._ends_within(0.3) or time.monotonic() - self.spoke_at > silent_s

    def _ends_within(self, seconds: float) -> bool:
        self.sock.settimeout(seconds)
        try:
            return self.sock.recv(1) == b""
        except TimeoutError:
            return False
        except ConnectionResetError:
            return True


async def ticked(served: Served, wait_s: float) -> None:
    await asyncio.sleep(wait_s)
    served.mqtt.tick()


@pytest.fixture
def caller(served: Served) -> Iterator[Caller]:
    made = Caller(served)
    yield made
    made.sock.close()


def test_client_that_says_nothing_is_closed_in_time(caller: Caller) -> None:
    assert caller.is_left_by_ticks(0.0, WITHIN_S)
    assert caller.is_closed_by_ticks(WITHIN_S)


def test_client_that_begins_tls_and_says_nothing_is_closed_in_time(tmp_path: Path) -> None:
    own, _ = Authority().issue(tmp_path, "localhost", x509.DNSName("localhost"))
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(own)
    options = MqttOptions(connect_within_s=WITHIN_S)
    running = Served(house(), secure, options)
    try:
        with socket.create_connection(("127.0.0.1", running.port("mqtts")), 10) as silent:
            silent.settimeout(WITHIN_S + PATIENCE_S)
            assert silent.recv(1) == b""
    finally:
        running.stop()


def test_client_that_writes_its_connect_byte_by_byte_has_no_longer(caller: Caller) -> None:
    for byte in encode(Connect(V311, "c1", True, 0, "d1"), V311)[:8]:
        caller.sock.sendall(bytes((byte,)))
        caller._served.do(asyncio.sleep(WITHIN_S / 7))
    assert caller.is_closed_by_ticks(0.0)


def test_connect_in_pieces_is_a_connect(caller: Caller) -> None:
    data = encode(Connect(V311, "c1", True, 0, "d1"), V311)
    for start in range(0, len(data), 5):
        caller.sock.sendall(data[start : start + 5])
    assert caller.sock.recv(len(CONNACK)) == CONNACK
    assert caller.is_left_by_ticks(WITHIN_S + 0.1, float("inf"))


def test_client_that_is_gone_is_closed_after_its_keep_alive(caller: Caller) -> None:
    caller.connect(keep_alive_s=1)
    assert caller.is_left_by_ticks(0.5, 1.5)
    assert caller.is_closed_by_ticks(1.1)


def test_client_without_keep_alive_is_asked_by_the_system(caller: Caller, served: Served) -> None:
    caller.connect()

    async def found() -> list[int]:
        (own,) = served.mqtt.sockets
        sock = own._transport.get_extra_info("socket")
        names = [socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT]
        asked = sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        return [asked, *(sock.getsockopt(socket.IPPROTO_TCP, name) for name in names)]

    assert served.do(found()) == [1, 300, 60, 5]


def test_client_that_does_not_read_is_closed_before_it_fills_memory(
    caller: Caller, served: Served
) -> None:
    caller.connect()
    wanted = Subscribe(1, (Subscription("devices/d1/commands/#", 0),))
    caller.sock.sendall(encode(wanted, V311))
    assert caller.sock.recv(5) == b"\x90\x03\x00\x01\x00"

    async def told() -> int:
        large = Downlink("default", "d1", "commands/x", b"x" * 1_000_000, 0)
        for number in range(200):
            served.house.entrance.downlinks.deliver(large)
            served.mqtt.flush()
            await asyncio.sleep(0.001)
            if not served.mqtt.sockets:
                return number
        return 200

    assert served.do(told()) * 1_000_000 < 10 * MOST_UNSENT


def test_client_that_comes_back_to_a_long_queue_gets_all_of_it(served: Served) -> None:
    """8 MiB at once were more than may wait for a client that does not read."""
    connect = encode(Connect(V311, "sleeper", False, 0, "d2"), V311)
    subscribe = encode(Subscribe(1, (Subscription("devices/d2/commands/#", 1),)), V311)
    with socket.create_connection(("127.0.0.1", served.port("mqtt")), 10) as first:
        first.sendall(connect + subscribe)
        first.recv(100)
    large = Downlink("default", "d2", "commands/x", bytes(256 * 1024))

    async def told() -> None:
        while served.mqtt.sockets:
            await asyncio.sleep(0.01)
        for _ in range(30):
            served.house.entrance.downlinks.deliver(large)

    served.do(told())
    seen, framer = 0, Framer()
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
        again.settimeout(PATIENCE_S)
        again.connect(("127.0.0.1", served.port("mqtt")))
        again.sendall(connect)
        while seen < 30 and (data := again.recv(16 * 1024)):
            for head, body in framer.feed(data):
                packet = decode(head, body, V311)
                if isinstance(packet, Publish):
                    seen += 1
                    again.sendall(encode(Ack(PUBACK, packet.packet_id), V311))
    assert seen == 30


def test_client_that_writes_on_hears_why_it_was_closed(caller: Caller) -> None:
    connect = Connect(V5, "c1", True, 0, "d1")
    caller.sock.sendall(encode(connect, V5) + encode(connect, V5))
    caller._served.do(asyncio.sleep(0.1))
    for _ in range(3):
        with suppress(ConnectionError):
            caller.sock.sendall(encode(Ping(PINGREQ), V5))
        caller._served.do(asyncio.sleep(0.05))
    assert caller.packets(V5) == ["Connack", "Disconnect"]


def test_client_that_is_closed_and_stays_is_let_go_after_a_while(caller: Caller) -> None:
    connect = encode(Connect(V311, "c1", True, 0, "d1"), V311)
    began = time.monotonic()
    caller.sock.sendall(connect + connect)
    caller._served.do(asyncio.sleep(LINGER_S - 0.5))
    is_there = len(caller._served.mqtt.sockets) == 1
    assert is_there or time.monotonic() - began > LINGER_S
    while caller._served.mqtt.sockets:
        assert time.monotonic() - began < LINGER_S + PATIENCE_S
        caller._served.do(asyncio.sleep(0.05))


def test_client_that_is_held_back_is_not_called_silent(served: Served) -> None:
    """Its keep-alive goes on while nothing of it is read, since Kafka decides nothing."""
    outlet = served.house.outlet
    outlet.is_held = True
    caller = Caller(served)
    try:
        caller.connect(keep_alive_s=1)
        count = MOST_PENDING + 1
        for number in range(1, count + 1):
            caller.sock.sendall(encode(Publish("devices/d1/telemetry", MESSAGE, 1, number), V311))
        assert caller.is_left_by_ticks(2.0, float("inf"))

        outlet.is_held = False
        caller.sock.settimeout(PATIENCE_S)
        framer, heard = Framer(), 0
        while heard < count:
            data = caller.sock.recv(65_536)
            assert data, f"closed after {heard} answers"
            heard += len(framer.feed(data))
    finally:
        outlet.is_held = False
        caller.sock.close()
