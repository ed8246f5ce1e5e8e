"""The relays by which kills are timed."""

import socket
import threading
from collections.abc import Iterator

import pytest

from tests.gateway.kills.relays import Packet, Relay, Trap


@pytest.fixture
def relay() -> Iterator[Relay]:
    """A relay before a server that answers whatever comes by the same."""
    server = socket.create_server(("127.0.0.1", 0))
    serving = threading.Thread(target=_echo, args=[server])
    serving.start()
    running = Relay()
    running.target = server.getsockname()[1]
    yield running
    running.close()
    server.shutdown(socket.SHUT_RDWR)
    serving.join()
    server.close()


def _echo(server: socket.socket) -> None:
    while True:
        try:
            own, _ = server.accept()
        except OSError:
            return
        with own:
            own.sendall(own.recv(10))


def _answer(relay: Relay, text: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", relay.port)) as client:
        client.sendall(text)
        return client.recv(10)


def test_nothing_that_fits_passes_until_the_trap_is_released(relay: Relay) -> None:
    def is_secret(packet: Packet) -> bool:
        return packet.is_down and packet.data.startswith(b"secret")

    sprung: list[bool] = []
    relay.trap = trap = Trap(is_secret, False, lambda: sprung.append(True))

    assert [_answer(relay, text) for text in (b"secret 1", b"secret 2", b"open")] == [
        b"",
        b"",
        b"open",
    ]
    trap.release()
    assert _answer(relay, b"secret 3") == b"secret 3"
    assert sprung == [True]


def test_trap_that_is_set_too_late_for_a_packet_does_not_spring_at_it(relay: Relay) -> None:
    sprung: list[bool] = []

    def is_request(packet: Packet) -> bool:
        return not packet.is_down

    def late(_packet: Packet) -> bool:
        relay.trap = Trap(is_request, True, lambda: sprung.append(True))
        return False

    relay.trap = Trap(late, False, lambda: None)

    assert _answer(relay, b"1") == b"1"
    assert sprung == []
