"""The ledger of what was sent and acknowledged: append-only NDJSON, the truth for `verify`.

All times are in microseconds since 1970; `sha256` is of the message's bytes.
"""

from typing import Literal, NotRequired, TypedDict

import orjson

Expect = Literal["silver", "rejected", "late", "duplicate", "conflict"]


class Sent(TypedDict):
    """A message that is about to be sent, and where it must come out."""

    e: Literal["sent"]
    tenant: str
    device: str
    boot: str | None
    seq: int | None
    sha256: str
    sent_at: int
    event_time: int | None
    expect: Expect
    reason: str | None


class Ack(TypedDict):
    """A message that is durable."""

    e: Literal["ack"]
    boot: str | None
    seq: int | None
    sha256: str
    at: int
    device: NotRequired[str]


def line(entry: Sent | Ack) -> bytes:
    """Return the entry as one line with its newline."""
    return orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)


def parse(text: bytes) -> Sent | Ack:
    """Read one line; raise `ValueError` if it is no entry."""
    entry = orjson.loads(text)
    if not isinstance(entry, dict) or entry.get("e") not in ("sent", "ack"):
        raise ValueError("a ledger line is an object whose e is sent or ack")
    found: Sent | Ack = entry  # type: ignore[assignment]
    return found
