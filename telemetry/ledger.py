"""The ledger of what was sent, acknowledged and true: append-only NDJSON, by which `verify` judges.

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


class Again(TypedDict):
    """A message that its device sent once more, as it had no answer: it may be there twice."""

    e: Literal["again"]
    tenant: str
    device: str
    boot: str | None
    seq: int | None
    sha256: str
    at: int


Label = TypedDict(
    "Label",
    {
        "e": Literal["label"],
        "tenant": str,
        "device": str,
        "metric": str,
        "kind": str,
        "from": int,
        "to": int,
    },
)
"""What truly goes wrong with a device's metric, from one event time until before another.

It stands in the ledger before the first message that it is of.
"""
Entry = Sent | Ack | Again | Label


def line(entry: Entry) -> bytes:
    """Return the entry as one line with its newline."""
    return orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)


def parse(text: bytes) -> Entry:
    """Read one line; raise `ValueError` if it is no entry."""
    entry = orjson.loads(text)
    if not isinstance(entry, dict) or entry.get("e") not in ("sent", "ack", "again", "label"):
        raise ValueError("a ledger line is an object whose e is sent, ack, again or label")
    found: Entry = entry  # type: ignore[assignment]
    return found
