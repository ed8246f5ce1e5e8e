"""Connections of HTTP byte by byte: requests of two lengths, bodies that wait, the last answer."""

import base64
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from gateway.http.bodies import MOST_BODY
from gateway.http.connections import LINGER_S
from telemetry.settings import Settings
from tests.end_to_end.stack import free_port_base
from tests.gateway.certificates import Authority
from tests.gateway.entrances import MESSAGE, house
from tests.gateway.served import Served

BASIC = "Basic " + base64.b64encode(b"d1:").decode()
HEAD = f"POST /devices/d1/telemetry HTTP/1.1\r\nHost: g\r\nAuthorization: {BASIC}\r\n"
STRANGER = HEAD.replace("Authorization", "X-Authorization")
LENGTH = f"Content-Length: {len(MESSAGE)}\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"
EXPECT = "Expect: 100-continue\r\n"
GO_ON = b"HTTP/1.1 100 \r\n"
WHOLE = b"%x\r\n%b\r\n0\r\n\r\n" % (len(MESSAGE), MESSAGE)


class Caller:
    """A client that writes and reads as a test says."""

    def __init__(self, served: Served) -> None:
        self.outlet = served.house.outlet
        self.outlet.taken.clear()
        self.sock = socket.create_connection(("127.0.0.1", served.port("http")), 10)

    def send(self, head: str, body: bytes = b"") -> None:
        self.sock.sendall(head.encode() + b"\r\n" + body)

    def writes(self, seconds: float) -> None:
        """Write a byte now and then."""
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up:
            self.sock.sendall(b"x")
            time.sleep(0.05)

    def until(self, end: bytes) -> bytes:
        """Return what comes until these bytes have."""
        heard = b""
        while end not in heard:
            more = self.sock.recv(4096)
            assert more, heard
            heard += more
        return heard

    def rest(self) -> bytes:
        """Return what comes until the end."""
        return b"".join(iter(lambda: self.sock.recv(4096), b""))


@pytest.fixture
def caller(served: Served) -> Iterator[Caller]:
    made = Caller(served)
    yield made
    made.sock.close()


@pytest.mark.parametrize(
    "head",
    [HEAD + LENGTH + CHUNKED, HEAD + CHUNKED + LENGTH, HEAD.replace("1.1", "1.0") + CHUNKED],
    ids=["length and chunks", "chunks and length", "chunks in 1.0"],
)
def test_request_of_two_lengths_is_refused_and_ends_its_connection(
    caller: Caller, head: str
) -> None:
    caller.send(head, WHOLE + (HEAD + LENGTH + "\r\n").encode() + MESSAGE)
    heard = caller.rest()

    assert heard.startswith(b"HTTP/1.1 400 ")
    assert heard.count(b"HTTP/1.1") == 1
    assert caller.outlet.taken == []


def test_chunks_alone_are_a_body(caller: Caller) -> None:
    caller.send(HEAD + CHUNKED, WHOLE)

    assert caller.until(b"}").startswith(b"HTTP/1.1 202 ")
    assert [each.value for each in caller.outlet.taken] == [MESSAGE]


def test_body_is_asked_for_once_it_is_wanted(caller: Caller) -> None:
    for _ in range(2):
        caller.send(HEAD + LENGTH + EXPECT)
        assert caller.until(b"\r\n\r\n").startswith(GO_ON)
        caller.sock.sendall(MESSAGE)
        assert caller.until(b"}").startswith(b"HTTP/1.1 202 ")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (STRANGER + LENGTH, 401),
        (HEAD + f"Content-Length: {MOST_BODY + 1}\r\n", 413),
    ],
)
def test_body_of_who_is_refused_is_not_asked_for(caller: Caller, head: str, status: int) -> None:
    caller.send(head + EXPECT)

    assert caller.rest().startswith(b"HTTP/1.1 %d " % status)


def test_body_that_does_not_wait_is_taken_as_it_comes(caller: Caller) -> None:
    caller.send(HEAD + LENGTH + EXPECT, MESSAGE)

    assert b"HTTP/1.1 202 " in caller.until(b"}")


def test_client_that_sends_on_hears_why_it_was_refused(caller: Caller) -> None:
    caller.send(HEAD + f"Content-Length: {MOST_BODY + 1}\r\n")
    for _ in range(20):
        caller.sock.sendall(b"x" * 100_000)
        time.sleep(0.01)

    assert caller.rest().startswith(b"HTTP/1.1 413 ")


def test_client_that_was_refused_and_stays_is_let_go(caller: Caller, served: Served) -> None:
    caller.send(STRANGER + LENGTH)
    caller.rest()
    time.sleep(LINGER_S + 0.5)
    with pytest.raises(BrokenPipeError):
        caller.writes(20)


def test_http_2_is_spoken_to_who_begins_with_it(served: Served) -> None:
    assert _spoken(f"http://127.0.0.1:{served.port('http')}", has_1=False) == ("HTTP/2", 202)


@pytest.mark.parametrize(("has_2", "spoken"), [(True, "HTTP/2"), (False, "HTTP/1.1")])
def test_version_is_agreed_upon_over_tls(tmp_path: Path, has_2: bool, spoken: str) -> None:
    authority = Authority()
    chain, _ = authority.issue(tmp_path, "localhost", x509.DNSName("localhost"))
    settings = Settings(port_base=free_port_base(), gateway_certificate=chain)
    secure = ssl.create_default_context(cadata=authority.pem)
    running = Served(house(is_anonymous=True), settings=settings)
    try:
        url = f"https://localhost:{running.port('http')}"
        assert _spoken(url, has_2=has_2, verify=secure)[0] == spoken
    finally:
        running.stop()


def _spoken(
    url: str, *, has_1: bool = True, has_2: bool = True, verify: ssl.SSLContext | bool = True
) -> tuple[str, int]:
    asking = httpx.Client(http1=has_1, http2=has_2, verify=verify, trust_env=False)
    with asking as client:
        answer = client.post(
            f"{url}/devices/d1/telemetry", content=MESSAGE, headers={"Authorization": BASIC}
        )
    return answer.http_version, answer.status_code
