"""CoAP at a real port, bytes in and bytes out: options above all (RFC 7252, 5.4; RFC 7959, 2.2)."""

import socket
from collections.abc import Iterator
from itertools import count

import pytest
from aiocoap.numbers.optionnumbers import OptionNumber

from gateway.coap.options import MOST_OPTIONS, sifted
from tests.gateway.entrances import MESSAGE
from tests.gateway.served import Served

CON, NON = 0x40, 0x50
GET, POST = 1, 2
QUIET_S, PATIENCE_S = 0.2, 20.0
MID = b"\x12\x34"
MIDS = count(1)
PATH = [(11, b"devices"), (11, b"d1"), (11, b"telemetry"), (15, b"u=d1")]
COMMANDS = [(11, b"devices"), (11, b"d1"), (11, b"commands"), (15, b"u=d1")]
JSON = (12, b"\x32")
Options = list[tuple[int, bytes]]


class Caller:
    """A client; each of its messages has a number of its own, whatever stands in it."""

    def __init__(self, served: Served) -> None:
        self.outlet = served.house.outlet
        self.outlet.taken.clear()
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.connect(("127.0.0.1", served.port("coap")))

    def answer(self, data: bytes, within_s: float = PATIENCE_S) -> bytes:
        """Return the head and token of what comes; nothing where nothing does."""
        mid = next(MIDS).to_bytes(2)
        self._sock.settimeout(within_s)
        self._sock.send(data[:2] + mid + data[4:])
        try:
            found = self._sock.recv(2048)
        except TimeoutError:
            return b""
        if found == b"\x60\0" + mid:
            # The machine stalled for a tenth of a second: the answer comes by itself.
            found = self._sock.recv(2048)
            self._sock.send(b"\x60\0" + found[2:4])
            found = bytes((found[0] | 0x20, found[1])) + mid + found[4:]
        assert found[2:4] == mid
        return found[:2] + MID + found[4 : 4 + (found[0] & 15)]

    def close(self) -> None:
        self._sock.close()


@pytest.fixture
def caller(served: Served) -> Iterator[Caller]:
    made = Caller(served)
    yield made
    made.close()


def coded(options: Options) -> bytes:
    """Return options as bytes, each delta and length in the longest form that it needs."""
    out, before = b"", 0
    for number, value in sorted(options, key=lambda option: option[0]):
        pairs = [_form(number - before), _form(len(value))]
        out += bytes((pairs[0][0] << 4 | pairs[1][0],)) + pairs[0][1] + pairs[1][1] + value
        before = number
    return out


def _form(value: int) -> tuple[int, bytes]:
    if value > 268:
        return 14, (value - 269).to_bytes(2)
    return (13, bytes((value - 13,))) if value > 12 else (value, b"")


def datagram(options: Options, *, code: int = POST, kind: int = CON) -> bytes:
    payload = b"\xff" + MESSAGE if code == POST else b""
    return bytes((kind | 1, code)) + MID + b"t" + coded(options) + payload


def ack(code: int) -> bytes:
    """Return the head of a piggybacked answer."""
    return bytes((0x61, code)) + MID + b"t"


LET_GO: dict[str, Options] = {
    "Observe of four bytes": [(6, b"\0\0\0\0")],
    "Content-Format of three bytes": [(12, b"\0\0\x3c")],
    "Max-Age of five bytes": [(14, b"\1" * 5)],
    "Size2 of five bytes": [(28, b"\1" * 5)],
    "Size1 of five bytes": [(60, b"\1" * 5)],
    "No-Response of two bytes": [(258, b"\0\x1a")],
    "Request-Tag of nine bytes": [(292, b"\1" * 9)],
    "Echo of 41 bytes": [(252, b"\1" * 41)],
    "ETag of no bytes": [(4, b"")],
    "ETag of nine bytes": [(4, b"\1" * 9)],
    "Location-Path that is not UTF-8": [(8, b"\xff")],
    "Content-Format again": [JSON, (12, b"\x3c")],
    "Size1 again": [(60, b"\2"), (60, b"\3")],
    "one that nobody knows": [(65_000, b"x"), (2, b""), (0, b"")],
    "very large numbers": [(65_804, b""), (131_608, b"x" * 300)],
}


@pytest.mark.parametrize("name", LET_GO)
def test_elective_option_that_is_not_as_it_may_be_is_let_go(caller: Caller, name: str) -> None:
    assert caller.answer(datagram([*PATH, *LET_GO[name]])) == ack(0x44)
    assert [each.value for each in caller.outlet.taken] == [MESSAGE]


REFUSED: dict[str, tuple[Options, int]] = {
    "Uri-Host of no bytes": ([(3, b"")], 0x82),
    "Uri-Host of 256 bytes": ([(3, b"h" * 256)], 0x82),
    "Uri-Port of three bytes": ([(7, b"\1\1\1")], 0x82),
    "Uri-Path of 256 bytes": ([(11, b"p" * 256)], 0x82),
    "Uri-Query of 256 bytes": ([(15, b"q" * 256)], 0x82),
    "Accept of three bytes": ([(17, b"\0\0\x32")], 0x82),
    "Block2 of four bytes": ([(23, b"\0\0\0\6")], 0x82),
    "Block1 of four bytes": ([(27, b"\0\0\0\6")], 0x82),
    "Proxy-Uri of no bytes": ([(35, b"")], 0x82),
    "Uri-Host again": ([(3, b"a"), (3, b"a")], 0x82),
    "Uri-Port again": ([(7, b"\1"), (7, b"\1")], 0x82),
    "Accept again": ([(17, b"\x32"), (17, b"\x3c")], 0x82),
    "Block1 again": ([(27, b"\6"), (27, b"\6")], 0x82),
    "If-Match": ([(1, b"x")], 0x82),
    "If-None-Match": ([(5, b"")], 0x82),
    "OSCORE": ([(9, b"x")], 0x82),
    "Uri-Path-Abbrev": ([(13, b"\1")], 0x82),
    "Q-Block1": ([(19, b"\6")], 0x82),
    "EDHOC": ([(21, b"")], 0x82),
    "Q-Block2": ([(31, b"\6")], 0x82),
    "one that nobody knows": ([(65_001, b"x")], 0x82),
    "Proxy-Uri": ([(35, b"coap://elsewhere/x")], 0xA5),
    "Proxy-Scheme": ([(39, b"coap")], 0xA5),
    "Block1 of size exponent 7": ([(27, b"\7")], 0x80),
    "Block2 of size exponent 7": ([(23, b"\7")], 0x80),
    "a block behind none": ([(27, b"\x16")], 0x88),
    "very many options": ([(11, b"")] * MOST_OPTIONS, 0x80),
}


@pytest.mark.parametrize("name", REFUSED)
def test_request_that_demands_what_is_not_known_is_refused(caller: Caller, name: str) -> None:
    options, code = REFUSED[name]

    assert caller.answer(datagram([*PATH, *options])) == ack(code)
    assert caller.outlet.taken == []


@pytest.mark.parametrize("name", [name for name, (_, code) in REFUSED.items() if code == 0x82])
def test_the_same_is_not_answered_where_nobody_asks_for_an_acknowledgement(
    caller: Caller, name: str
) -> None:
    data = datagram([*PATH, *REFUSED[name][0]], kind=NON)

    assert caller.answer(data, QUIET_S) == b""
    assert caller.outlet.taken == []


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([(23, b"\7")], 0x80),
        ([(23, b"\x0f")], 0x80),
        ([(23, b"\x16")], 0x88),
        ([(6, b"\0\0\0\0")], 0x45),
        ([(6, b""), (6, b"\1")], 0x45),
        ([(4, b"x"), (4, b"y")], 0x45),
    ],
)
def test_get_is_answered_by_its_options(caller: Caller, options: Options, code: int) -> None:
    assert caller.answer(datagram([*COMMANDS, *options], code=GET)) == ack(code)


RESET = b"\x70\0\x12\x34"
MESSAGES = {
    "version 0": (b"\x01\2\x12\x34t", b""),
    "version 2": (b"\x81\2\x12\x34t", b""),
    "version 3": (b"\xc1\2\x12\x34t", b""),
    "a token of nine bytes": (b"\x49\2\x12\x34" + b"t" * 9, RESET),
    "a token of fifteen bytes": (b"\x4f\2\x12\x34" + b"t" * 15, RESET),
    "a token that breaks off": (b"\x44\2\x12\x34t", RESET),
    "a ping": (b"\x40\0\x12\x34", RESET),
    "a ping with a token": (b"\x41\0\x12\x34t", RESET),
    "nothing that is not confirmable": (b"\x50\0\x12\x34", b""),
    "an acknowledgement of nothing": (b"\x60\0\x12\x34", b""),
    "a reset of nothing": (b"\x70\0\x12\x34", b""),
    "an answer to nothing": (b"\x41\x45\x12\x34t", RESET),
    "the same, not confirmable": (b"\x51\x45\x12\x34t", b""),
    "an answer with an option that nobody knows": (b"\x41\x45\x12\x34t\x91x", RESET),
    "a code of class 1": (b"\x41\x21\x12\x34t", RESET),
    "a code of class 6": (b"\x41\xc1\x12\x34t", RESET),
    "a code of class 7": (b"\x41\xe1\x12\x34t", RESET),
    "a payload of no bytes": (b"\x41\2\x12\x34t\xff", RESET),
    "an option of length 15": (b"\x41\2\x12\x34t\x1f", RESET),
    "an option of delta 15": (b"\x41\2\x12\x34t\xf1x", RESET),
    "an option that breaks off": (b"\x41\2\x12\x34t\xb7dev", RESET),
    "a length that breaks off": (b"\x41\2\x12\x34t\xbe\0", RESET),
    "a request as an acknowledgement": (b"\x61\2\x12\x34t", b""),
    "no path": (b"\x41\1\x12\x34t", ack(0x84)),
    "method 0.08": (datagram(PATH, code=8), ack(0x85)),
    "method 0.31": (datagram(PATH, code=31), ack(0x85)),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_message_is_answered_reset_or_left(caller: Caller, name: str) -> None:
    data, answer = MESSAGES[name]

    assert caller.answer(data, PATIENCE_S if answer else QUIET_S) == answer


def test_numbers_of_options_that_strangers_name_are_not_kept(caller: Caller) -> None:
    """Each was kept for good, with some 600 bytes, and a datagram may name 20,000."""
    known = len(OptionNumber._value2member_map_)

    for first in range(0, 1_000, 50):
        numbers = range(3_000 + 2 * first, 3_100 + 2 * first, 2)
        assert caller.answer(datagram([*PATH, *((each, b"") for each in numbers)])) == ack(0x44)

    assert len(OptionNumber._value2member_map_) == known


@pytest.mark.parametrize("name", LET_GO)
def test_what_means_something_stays_as_it_is(name: str) -> None:
    kept = LET_GO[name][:1] if name == "Size1 again" else []

    found = sifted(datagram([*PATH, JSON, *LET_GO[name]]), 5)

    assert found == datagram([*PATH, JSON, *kept])
