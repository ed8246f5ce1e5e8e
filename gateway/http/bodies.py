"""Bodies of requests: unpacked within their limit, and cut into records."""

import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import zstandard

from gateway.outcome import Rejected
from telemetry.encodings import CBOR
from telemetry.records import JSON

NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl")
MOST_BODY = 8 * 1024 * 1024
MOST_UNPACKED = 32 * 1024 * 1024
MOST_WINDOW = 8 * 1024 * 1024
"""RFC 9659: what a receiver of zstd has to remember at most."""
MOST_FRAMES = 20_000
"""As many as a request has records: each may be packed by itself."""
_PIECE = 256
GZIP = ("gzip", "x-gzip")
PACKINGS = ("gzip", "zstd")
MOST_PACKINGS = 3
"""One within the other: each is a pass over all of the body."""
FORMS = (JSON, NDJSON[0], CBOR)
MOST_LINES = 200_000
"""Blank ones too: 32 KiB may unpack to 33 million, which would hold up everybody for seconds."""


class Part(NamedTuple):
    """One record of a body, and the line that it stood on."""

    line: int
    payload: bytes


def content_type(header: str | None) -> str | Rejected:
    """Return which form a body has, by its Content-Type."""
    name = (header or JSON).split(";", 1)[0].strip().lower()
    if name in (JSON, CBOR, "text/json"):
        return CBOR if name == CBOR else JSON
    if name in NDJSON:
        return NDJSON[0]
    known = ", ".join(FORMS)
    return Rejected("content_type", f"content type {name[:60]!r}; known are {known}")


def unpacked(body: bytes, encoding: str | None) -> bytes | Rejected:
    """Undo the Content-Encoding, the last one first (RFC 9110, 8.4).

    A body that unpacks to too much is refused before it does.
    """
    said = [name.strip().lower() for name in (encoding or "").split(",")]
    names = [name for name in said if name not in ("", "identity")]
    strange = [name for name in names if name not in (*GZIP, *PACKINGS)]
    if strange:
        text = f"content encoding {strange[0][:40]!r}; known are gzip and zstd"
        return Rejected("content_type", text)
    if len(names) > MOST_PACKINGS:
        return Rejected("content_type", f"a body is packed {MOST_PACKINGS} times at most")
    found: bytes | Rejected = body
    for name in reversed(names):
        if isinstance(found, bytes):
            found = _unpacked(found, name)
    return found


def _unpacked(body: bytes, name: str) -> bytes | Rejected:
    out = bytearray()
    begun, padding = (_gunzip, b"\0") if name in GZIP else (_decompressor(), b"")
    try:
        for chunk in _frames(body, begun, padding):
            out += chunk
            if len(out) > MOST_UNPACKED:
                return too_large(f"more than {MOST_UNPACKED:,} bytes unpacked", MOST_UNPACKED)
    except _TooManyError:
        text = f"more than {MOST_FRAMES:,} frames of {name}, one behind the other"
        return too_large(text, MOST_FRAMES, "frames")
    except (EOFError, zlib.error, zstandard.ZstdError) as error:
        return Rejected("undecodable", f"the body does not unpack as {name}: {error}")
    return bytes(out)


class _Frame(Protocol):
    """Unpacks one frame of zstd, or one member of gzip."""

    @property
    def eof(self) -> bool:
        """Whether it was whole."""

    @property
    def unused_data(self) -> bytes:
        """What came behind it."""

    def decompress(self, data: bytes, /) -> bytes:
        """Return what more of it holds."""


_Begun = Callable[[], _Frame]


class _TooManyError(Exception):
    """A body has too many frames."""


def _gunzip() -> _Frame:
    return zlib.decompressobj(wbits=31)


def _decompressor() -> _Begun:
    return zstandard.ZstdDecompressor(max_window_size=MOST_WINDOW).decompressobj


def _frames(body: bytes, begun: _Begun, padding: bytes) -> Iterator[bytes]:
    """Yield what frames hold, a few bytes of the body at a time: each may become 32 KiB.

    Between them may stand `padding`. The libraries' own readers go on for as long as there are
    frames: 8 MiB hold 400,000 that are empty, and everybody would wait for seconds. That of zstd
    takes a body that breaks off for one that ends there.
    """
    frame, left = None, MOST_FRAMES
    for start in range(0, len(body), _PIECE):
        piece = body[start : start + _PIECE]
        while piece:
            if frame is None:
                piece = piece if left == MOST_FRAMES else piece.lstrip(padding)
                if not piece:
                    break
                if not left:
                    raise _TooManyError
                frame, left = begun(), left - 1
            yield frame.decompress(piece)
            piece = frame.unused_data if frame.eof else b""
            if frame.eof:
                frame = None
    if frame is not None:
        raise EOFError("it ends before its last frame does")


def too_large(text: str, limit: int, unit: str = "bytes") -> Rejected:
    """Return the refusal of a body that is too large."""
    return Rejected("too_large", text, limit=f"{limit} {unit}")


def parts(body: bytes, form: str) -> list[Part]:
    """Cut a body into records: one, or one a line; empty lines are none, and an empty body is one.

    None are cut from so many lines, blank ones too, that it would take long.
    """
    if form != NDJSON[0]:
        return [Part(1, body)]
    if body.count(b"\n") > MOST_LINES:
        return []
    lines = body.split(b"\n")
    found = [
        Part(number, line)
        for number, raw in enumerate(lines, start=1)
        if (line := raw.strip(b" \t\r"))
    ]
    return found or [Part(1, b"")]
