"""CoAP's sockets: the addresses that they open, and what is no message."""

import asyncio
import socket

import pytest
from aiocoap import Message
from aiocoap.numbers.contentformat import ContentFormat

from gateway.coap.listener import listen_coap
from gateway.coap.site import tuning
from gateway.coap.sockets import read
from tests.end_to_end.stack import free_port_base
from tests.gateway.entrances import house

PING, PONG = bytes.fromhex("40001234"), bytes.fromhex("70001234")
PATH = b"\xb7devices"
NOT_UTF8 = b"\x02\xff\xfe"
BAD_OPTION = bytes.fromhex("6182123474") + b"\xffan option is not UTF-8"


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (bytes.fromhex("49021234") + b"123456789" + PATH, PONG),
        (bytes.fromhex("59021234") + b"123456789" + PATH, b""),
        (bytes.fromhex("48021234") + b"12", PONG),
        (bytes.fromhex("400212"), b""),
        (bytes.fromhex("80021234"), b""),
        (bytes.fromhex("40021234b7"), PONG),
        (bytes.fromhex("4102123474") + PATH + NOT_UTF8, BAD_OPTION),
        (bytes.fromhex("5102123474") + PATH + NOT_UTF8, b""),
        (bytes.fromhex("4145123474") + PATH + NOT_UTF8, PONG),
        (bytes.fromhex("4000123400"), PONG),
        (bytes.fromhex("6000123400"), b""),
        (bytes.fromhex("50001234"), b""),
        (bytes.fromhex("40211234"), PONG),
        (bytes.fromhex("40e11234"), PONG),
        (bytes.fromhex("50c11234"), b""),
        (bytes.fromhex("60021234"), b""),
        (bytes.fromhex("70451234"), b""),
        (bytes.fromhex("4102123474") + PATH + b"\xff", PONG),
    ],
    ids=[
        "a token of nine",
        "the same, not confirmable",
        "a token that breaks off",
        "three bytes",
        "another version",
        "an option that breaks off",
        "a path that is not UTF-8",
        "the same, not confirmable",
        "an answer with such a path",
        "a ping with a byte behind it",
        "an acknowledgement with a byte behind it",
        "nothing that is not confirmable",
        "a code of class 1",
        "a code of class 7",
        "a code of class 6, not confirmable",
        "a request as an acknowledgement",
        "an answer as a reset",
        "a payload of no bytes",
    ],
)
def test_what_is_no_message_is_reset_or_left(data: bytes, answer: bytes) -> None:
    assert read(data, None) == answer


def test_content_format_that_is_too_long_is_not_kept() -> None:
    """aiocoap keeps each content format that a stranger names, of 64 kB too, for good."""
    known = len(ContentFormat._value2member_map_)
    rest = bytes.fromhex("cdff") + b"\1" * 300

    assert isinstance(read(bytes.fromhex("4102123474") + rest, None), Message)
    assert isinstance(read(bytes.fromhex("4102123474d50402") + b"\1" * 20, None), bytes)
    assert len(ContentFormat._value2member_map_) == known


@pytest.mark.parametrize("option", ["c2ffff", "d204ffff", "62ffff", "d30a010203", "d1ff00"])
def test_options_of_their_length_are_read(option: str) -> None:
    found = read(bytes.fromhex("4102123474") + bytes.fromhex(option) + b"\xffx", None)
    assert isinstance(found, Message)
    assert found.payload == b"x"


def test_message_is_read() -> None:
    found = read(bytes.fromhex("48021234") + b"12345678" + PATH, None)
    assert isinstance(found, Message)
    assert (found.token, found.opt.uri_path) == (b"12345678", ("devices",))


@pytest.mark.parametrize(
    ("host", "reached"),
    [
        ("127.0.0.1", {"127.0.0.1"}),
        ("0.0.0.0", {"127.0.0.1", "127.0.0.2"}),  # noqa: S104
        ("::", {"127.0.0.1", "127.0.0.2", "::1"}),
    ],
)
def test_port_is_open_on_the_addresses_that_were_asked_for(host: str, reached: set[str]) -> None:
    if ":" in host and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    port = free_port_base()

    async def found() -> set[str]:
        context = await listen_coap(house().entrance, host, port, tuning(0.5, 2))
        try:
            asked = ("127.0.0.1", "127.0.0.2", "::1")
            return {each for each in asked if await _answers(each, port)}
        finally:
            await context.shutdown()

    assert asyncio.run(found()) == reached


async def _answers(host: str, port: int) -> bool:
    """Ping, send what is none, and say whether both were answered."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect((host, port))
        sock.send(PING)
        try:
            assert await _heard(sock) == PONG
        except ConnectionRefusedError:
            return False
        sock.send(bytes.fromhex("4102123474") + PATH + NOT_UTF8)
        assert await _heard(sock) == BAD_OPTION
        return True


async def _heard(sock: socket.socket) -> bytes:
    return await asyncio.wait_for(asyncio.get_running_loop().sock_recv(sock, 999), 20)
