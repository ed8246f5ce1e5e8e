"""Bodies of requests: unpacked within their limit, and cut into records."""

import gzip
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import NamedTuple

import zstandard

from gateway.outcome import Rejected
from telemetry.encodings import CBOR
from telemetry.records import JSON

NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl")
MOST_BODY = 8 * 1024 * 1024
MOST_UNPACKED = 32 * 1024 * 1024
MOST_WINDOW = 8 * 1024 * 1024
"""RFC 9659: what a receiver of zstd has to remember at most."""
_CHUNK = 256 * 1024
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
    try:
        chunks = _gunzipped(body) if name in GZIP else _decompressed(body)
        out = bytearray()
        for chunk in chunks:
            out += chunk
            if len(out) > MOST_UNPACKED:
                return too_large(f"more than {MOST_UNPACKED:,} bytes unpacked", MOST_UNPACKED)
    except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
        return Rejected("undecodable", f"the body does not unpack as {name}: {error}")
    return bytes(out)


def _gunzipped(body: bytes) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=BytesIO(body)) as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _decompressed(body: bytes) -> Iterator[bytes]:
    """Yield what frames hold, a few bytes of the body at a time: each may become 32 KiB.

    The library's own reader takes a body that breaks off for one that ends there.
    """
    decompressor = zstandard.ZstdDecompressor(max_window_size=MOST_WINDOW)
    frame = None
    for start in range(0, len(body), _PIECE):
        piece = body[start : start + _PIECE]
        while piece:
            frame = frame or decompressor.decompressobj()
            yield frame.decompress(piece)
            piece = frame.unused_data if frame.eof else b""
            if frame.eof:
                frame = None
    if frame is not None:
        raise zstandard.ZstdError("the body ends before its last frame does")


def too_large(text: str, limit: int, unit: str = "bytes") -> Rejected:
    """Return the refusal of a body that is too large."""
    return Rejected("too_large", text, limit=f"{limit} {unit}")


def has_too_many_lines(body: bytes, form: str) -> bool:
    """Say whether a body has so many lines, blank ones too, that cutting it would take long."""
    return form == NDJSON[0] and body.count(b"\n") > MOST_LINES


def parts(body: bytes, form: str) -> list[Part]:
    """Cut a body into records: one, or one a line; empty lines are none."""
    if form != NDJSON[0]:
        return [Part(1, body)]
    lines = body.split(b"\n")
    return [
        Part(number, line)
        for number, raw in enumerate(lines, start=1)
        if (line := raw.strip(b" \t\r"))
    ]
