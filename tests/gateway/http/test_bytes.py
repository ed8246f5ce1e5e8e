"""HTTP at a real port, bytes in and bytes out: heads, lengths, bodies and what is made of them."""

import gzip
import json
import socket
import time
from collections.abc import Iterator

import pytest
import zstandard

from gateway.http.bodies import MOST_BODY, MOST_FRAMES
from gateway.http.idempotency import LONGEST_KEY
from tests.gateway.entrances import MESSAGE
from tests.gateway.http.test_connections import CHUNKED, HEAD, LENGTH, Caller
from tests.gateway.served import Served

CLOSE = "Connection: close\r\n"
LINES = "Content-Type: application/x-ndjson\r\n"
PACKED = "Content-Encoding: gzip\r\n"
SIZE = len(MESSAGE)
SECOND = MESSAGE.replace(b'"seq":1', b'"seq":2')


@pytest.fixture
def caller(served: Served) -> Iterator[Caller]:
    made = Caller(served)
    yield made
    made.sock.close()


def sized(body: bytes) -> str:
    return f"Content-Length: {len(body)}\r\n"


def status(heard: bytes) -> int:
    """Return the status of the only answer."""
    assert heard.count(b"HTTP/1.1 ") == 1, heard
    return int(heard.split(b" ", 2)[1])


HEADS = {
    "two lengths": (LENGTH + "Content-Length: 7\r\n", 400),
    "two lengths on a line": (f"Content-Length: {SIZE}, 7\r\n", 400),
    "one length twice": (LENGTH * 2, 202),
    "one length twice on a line": (f"Content-Length: {SIZE}, {SIZE}\r\n", 202),
    "a length below none": ("Content-Length: -1\r\n", 400),
    "a length with a sign": (f"Content-Length: +{SIZE}\r\n", 400),
    "a length that is no number": ("Content-Length: x\r\n", 400),
    "an empty length": ("Content-Length:\r\n", 400),
    "a length of very many digits": (f"Content-Length: {'9' * 5_000}\r\n", 400),
    "a length of twenty digits": (f"Content-Length: {'9' * 20}\r\n", 413),
    "another coding": (LENGTH + "Transfer-Encoding: gzip\r\n", 501),
    "a coding within chunks": ("Transfer-Encoding: gzip, chunked\r\n", 501),
    "chunks twice": (CHUNKED * 2, 501),
    "a second Host": (LENGTH + "Host: g\r\n", 400),
    "a blank before the colon": (LENGTH + "X-A : b\r\n", 400),
    "a name that is none": (LENGTH + "X A: b\r\n", 400),
    "a U+0000": (LENGTH + "X-A: \0\r\n", 400),
    "a head too large": (LENGTH + f"X-A: {'x' * 70_000}\r\n", 431),
    "another form": (LENGTH + "Content-Type: text/plain\r\n", 415),
    "a form of many": (LENGTH + "Content-Type: multipart/form-data; boundary=b\r\n", 415),
    "a form with its alphabet": (LENGTH + "Content-Type: Application/JSON; charset=utf-8\r\n", 202),
    "another packing": (LENGTH + "Content-Encoding: br\r\n", 415),
    "a packing of none": (LENGTH + "Content-Encoding: identity\r\n", 202),
    "an answer that is not spoken": (LENGTH + "Accept: text/html\r\n", 202),
    "another expectation": (LENGTH + "Expect: 200-ok\r\n", 202),
    "the longest key": (LENGTH + f"Idempotency-Key: {'k' * LONGEST_KEY}\r\n", 202),
    "a longer key": (LENGTH + f"Idempotency-Key: {'k' * (LONGEST_KEY + 1)}\r\n", 422),
    "an empty key": (LENGTH + "Idempotency-Key:\r\n", 202),
}  # fmt: skip


@pytest.mark.parametrize("name", HEADS)
def test_head_is_answered(caller: Caller, name: str) -> None:
    head, wanted = HEADS[name]

    caller.send(HEAD + head + CLOSE, MESSAGE)
    heard = caller.rest()

    assert status(heard) == wanted
    assert [each.value for each in caller.outlet.taken] == [MESSAGE] * (wanted == 202)
    if wanted != 202:
        assert json.loads(heard.split(b"\r\n\r\n", 1)[1])["text"]


LISTED = b"\r\n".join((MESSAGE, b"", SECOND))
BODIES: dict[str, tuple[str, bytes, int, int]] = {
    "lines that end by CR and LF": (LINES, LISTED + b"\r\n", 202, 2),
    "a last line without an end": (LINES, LISTED, 202, 2),
    "blank lines around": (LINES, b"\n \r\n" + MESSAGE + b"\n\n\n", 202, 1),
    "a byte order mark": (LINES, b"\xef\xbb\xbf" + MESSAGE, 422, 0),
    "CR alone": (LINES, MESSAGE + b"\r" + SECOND, 422, 0),
    "an empty body": ("", b"", 422, 0),
    "an empty list": ("", b"[]", 422, 0),
    "a list": ("", b"[" + MESSAGE + b"," + SECOND + b"]", 202, 1),
    "gzip": (PACKED, gzip.compress(MESSAGE), 202, 1),
    "gzip of several members": (
        LINES + PACKED, gzip.compress(MESSAGE + b"\n") + gzip.compress(SECOND), 202, 2,
    ),
    "gzip with zeros behind": (PACKED, gzip.compress(MESSAGE) + bytes(512), 202, 1),
    "gzip with rubbish behind": (PACKED, gzip.compress(MESSAGE) + b"x", 422, 0),
    "gzip that breaks off": (PACKED, gzip.compress(MESSAGE)[:-1], 422, 0),
    "gzip with another sum": (PACKED, gzip.compress(MESSAGE)[:-8] + bytes(8), 422, 0),
    "zeros alone": (PACKED, bytes(512), 422, 0),
    "zstd of several frames": (
        LINES + "Content-Encoding: zstd\r\n",
        zstandard.compress(MESSAGE + b"\n") + zstandard.compress(SECOND), 202, 2,
    ),
    "very many members": (PACKED, gzip.compress(b"") * (MOST_FRAMES + 1), 413, 0),
    "very many frames": (
        "Content-Encoding: zstd\r\n", zstandard.compress(b"") * (MOST_FRAMES + 1), 413, 0,
    ),
    "a bomb": (PACKED, gzip.compress(bytes(5 * MOST_BODY)), 413, 0),
    "a bomb of bombs": (PACKED * 2, gzip.compress(gzip.compress(bytes(5 * MOST_BODY))), 413, 0),
}  # fmt: skip


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("name", BODIES)
def test_body_is_answered(caller: Caller, name: str, is_chunked: bool) -> None:
    head, body, wanted, records = BODIES[name]
    chunks = b"".join(b"%x\r\n%b\r\n" % (1, body[n : n + 1]) for n in range(min(9, len(body))))
    if rest := body[9:]:
        chunks += b"%x;a=b\r\n%b\r\n" % (len(rest), rest)

    if is_chunked:
        caller.send(HEAD + head + CHUNKED + CLOSE, chunks + b"0\r\nX-A: b\r\n\r\n")
    else:
        caller.send(HEAD + head + sized(body) + CLOSE, body)

    assert status(caller.rest()) == wanted
    taken = [each for each in caller.outlet.taken if each.topic == "telemetry"]
    assert len(taken) == records


CHUNKS = {
    "no size": b"\r\n",
    "a size that is no number": b"x\r\n",
    "a size below none": b"-1\r\n",
    "a size of very many digits": b"f" * 30 + b"\r\n",
    "no end": b"1\r\n{}\r\n",
}


@pytest.mark.parametrize("name", CHUNKS)
def test_chunk_that_is_none_is_400_and_ends_the_connection(caller: Caller, name: str) -> None:
    caller.send(HEAD + CHUNKED, CHUNKS[name] + b"0\r\n\r\n")
    heard = caller.rest()

    assert status(heard) == 400
    assert json.loads(heard.split(b"\r\n\r\n", 1)[1])["reason"] == "undecodable"
    assert caller.outlet.taken == []


LINES_OF_REQUESTS = {
    "rubbish": (b"\x16\x03\x01\0\xa5\1\0\0", 400),
    "no version": (b"GET /health", 400),
    "a version that is none": (b"GET /health HTTP/3.9x", 400),
    "two blanks": (b"GET  /health HTTP/1.1", 400),
}


@pytest.mark.parametrize("name", LINES_OF_REQUESTS)
def test_what_is_no_request_is_told_so(caller: Caller, name: str) -> None:
    line, wanted = LINES_OF_REQUESTS[name]
    caller.sock.sendall(line + b"\r\nHost: g\r\n\r\n")
    heard = caller.rest()

    assert status(heard) == wanted
    assert json.loads(heard.split(b"\r\n\r\n", 1)[1])["text"]


@pytest.mark.parametrize(
    ("line", "wanted", "allowed"),
    [
        ("GET /health", 200, None),
        ("HEAD /health", 200, None),
        ("HEAD /devices/d1/telemetry", 405, b"POST"),
        ("OPTIONS /devices/d1/telemetry", 405, b"POST"),
        ("PUT /devices/d1/telemetry", 405, b"POST"),
        ("TRACE /health", 405, b"GET, HEAD"),
        ("OPTIONS *", 404, None),
        ("GET /../etc/passwd", 404, None),
        ("GET /devices/d1/telemetry/", 404, None),
    ],
)
def test_method_is_answered(caller: Caller, line: str, wanted: int, allowed: bytes | None) -> None:
    caller.send(f"{line} HTTP/1.1\r\nHost: g\r\n{CLOSE}")
    heard = caller.rest()

    assert status(heard) == wanted
    head, _, body = heard.partition(b"\r\n\r\n")
    given = [each for each in head.split(b"\r\n") if each.lower().startswith(b"allow: ")]
    assert [each[7:] for each in given] == ([allowed] if allowed else [])
    assert bool(body) is not line.startswith("HEAD")


def test_request_without_a_host_is_400(caller: Caller) -> None:
    caller.send("GET /health HTTP/1.1\r\n")
    assert status(caller.rest()) == 400


def test_requests_one_behind_the_other_are_answered_in_their_order(caller: Caller) -> None:
    one = (HEAD + LENGTH + "\r\n").encode() + MESSAGE
    health = f"GET /health HTTP/1.1\r\nHost: g\r\n{CLOSE}\r\n".encode()

    caller.sock.sendall(one * 2 + health)
    heard = caller.rest()

    found = [each.split(b" ", 1)[0] for each in heard.split(b"HTTP/1.1 ")[1:]]
    assert found == [b"202", b"202", b"200"]
    assert len(caller.outlet.taken) == 2


@pytest.mark.parametrize("last", ["", CLOSE])
def test_client_that_writes_no_more_hears_its_answer(caller: Caller, last: str) -> None:
    """Or it would send again what is stored: without seq and ts it would count twice."""
    caller.outlet.is_held = True
    try:
        caller.send(HEAD + LENGTH + last, MESSAGE)
        caller.sock.shutdown(socket.SHUT_WR)
        time.sleep(0.3)
    finally:
        caller.outlet.is_held = False

    assert status(caller.rest()) == 202
    assert [each.value for each in caller.outlet.taken] == [MESSAGE]


@pytest.mark.parametrize(
    ("head", "body"), [(LENGTH, MESSAGE[:9]), (CHUNKED, b"9\r\n" + MESSAGE[:9] + b"\r\n")]
)
def test_body_that_ends_in_the_middle_is_no_fault_of_the_gateway(
    caller: Caller, served: Served, head: str, body: bytes
) -> None:
    counters = served.house.entrance.counters
    before = counters.value("rejected", reason="incomplete")
    caller.send(HEAD + head, body)
    caller.sock.shutdown(socket.SHUT_WR)
    heard = caller.rest()

    # Its client may be gone, and then nobody is told.
    assert not heard or status(heard) in (400, 408)
    give_up = time.monotonic() + 20
    while counters.value("rejected", reason="incomplete") == before:
        assert time.monotonic() < give_up
        time.sleep(0.02)
    assert caller.outlet.taken == []


@pytest.mark.parametrize("is_asked", [True, False])
def test_client_that_is_gone_is_let_go_at_once(caller: Caller, is_asked: bool) -> None:
    """Not 75 s later, when its next request would be too late."""
    if is_asked:
        caller.send(HEAD + LENGTH, MESSAGE)
        assert b" 202 " in caller.until(b"}")
    caller.sock.shutdown(socket.SHUT_WR)

    assert caller.rest() == b""
