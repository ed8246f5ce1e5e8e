"""Bodies that cannot be decoded as a message: cut off, not UTF-8, not JSON, not an object."""

import orjson

from simulator.drafts import Draft, Posting, unreadable
from simulator.poison import BODIES

NESTING = 2_000


def missing_metrics(draft: Draft) -> Posting:
    """Send no metrics, or an empty object of them."""
    metrics: dict[str, object] | None = {} if draft.dice < 0.5 else None
    return unreadable(draft, orjson.dumps(draft.fields(metrics=metrics)), "missing")


def wrong_seq(draft: Draft) -> Posting:
    """Send seq as a text."""
    return unreadable(draft, orjson.dumps(draft.fields(seq=str(draft.seq))), "type")


def truncated(draft: Draft) -> Posting:
    """Send the first part of a message."""
    body = orjson.dumps(draft.fields())
    return unreadable(draft, body[: 1 + int((len(body) - 2) * draft.dice)], "malformed")


def bad_utf8(draft: Draft) -> Posting:
    """Send bytes that are not UTF-8 in a text."""
    body = orjson.dumps(draft.fields(boot=draft.boot + "?"))
    return unreadable(draft, body.replace(b"?", b"\xc3\x28", 1), "malformed")


def literal(draft: Draft, *, literals: tuple[bytes, ...]) -> Posting:
    """Send a value that JSON does not have."""
    name = next(iter(draft.metrics))
    body = orjson.dumps(draft.fields(metrics={**draft.metrics, name: "?"}))
    literal = literals[int(draft.dice * len(literals)) % len(literals)]
    return unreadable(draft, body.replace(b'"?"', literal, 1), "malformed")


def deep_nesting(draft: Draft) -> Posting:
    """Send lists within lists."""
    return literal(draft, literals=(b"[" * NESTING + b"]" * NESTING,))


def empty_body(draft: Draft) -> Posting:
    """Send nothing."""
    return unreadable(draft, b"", "empty")


def not_a_message(draft: Draft) -> Posting:
    """Send JSON that is no object."""
    return unreadable(draft, b'"%d of %b"' % (draft.seq, draft.boot.encode()), "not_a_message")


def wrong_version(draft: Draft) -> Posting:
    """Send a version of the message that does not exist."""
    return unreadable(draft, orjson.dumps(draft.fields(v=99)), "version")


def poison(draft: Draft) -> Posting:
    """Send one of the bodies that break careless parsers."""
    body, rule = BODIES[int(draft.dice * len(BODIES)) % len(BODIES)]
    return unreadable(draft, body, rule)
