"""A message on its way to a fault: what the device meant, what it sends, what must come of it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

import orjson

from telemetry.ledger import Expect
from telemetry.products import Product

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC by its text's Z
MICROSECOND = timedelta(microseconds=1)
Fields = dict[str, object]
Fate = tuple[Expect, str | None]
"""Where a message must come out, and the reason that is told there."""


class Draft(NamedTuple):
    """A faultless message; times in microseconds since 1970, `dice` from 0 to 1."""

    product: Product
    device_full: str
    boot: str
    seq: int
    event_time: int
    received_at: int
    tolerance: int
    metrics: Mapping[str, object]
    extra: Mapping[str, object]
    dice: float

    def fields(self, **changes: object) -> Fields:
        """Return the message's JSON object with changes; a change to None leaves the field out."""
        fields: Fields = {
            "v": 1,
            "ts": iso(self.event_time),
            "boot": self.boot,
            "seq": self.seq,
            "metrics": self.metrics,
            **self.extra,
        }
        if not changes:
            return fields
        fields |= changes
        return {name: value for name, value in fields.items() if value is not None}


class Outcome(NamedTuple):
    """One message's bytes and what must come of it; no boot and seq where the bytes carry none."""

    body: bytes
    boot: str | None
    seq: int | None
    event_time: int | None
    expect: Expect
    reason: str | None = None


class Posting(NamedTuple):
    """A record to send: one message, or a list of them."""

    device_full: str
    value: bytes
    outcomes: tuple[Outcome, ...]
    has_headers: bool = True


def iso(micros: int) -> str:
    """Return the time as devices write it."""
    second, rest = divmod(micros, 1_000_000)
    return f"{_second(second)}.{rest // 1000:03d}Z"


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    return (EPOCH + timedelta(seconds=seconds)).isoformat(timespec="seconds")


def micros_of(duration: timedelta) -> int:
    """Return a duration in microseconds."""
    return duration // MICROSECOND


def posting(draft: Draft, outcome: Outcome) -> Posting:
    """Return a record of one message."""
    return Posting(draft.device_full, outcome.body, (outcome,))


def honest(draft: Draft) -> Posting:
    """Send the message as it is."""
    return posting(draft, accepted(draft, draft.fields()))


def accepted(draft: Draft, fields: Fields) -> Outcome:
    """Expect a message of good form: silver, late or too old by its product's limits."""
    event_time = min(draft.event_time, draft.received_at + draft.tolerance)
    expect, reason = by_delay(draft.product, draft.received_at - event_time)
    has_key = "seq" in fields
    return Outcome(
        body=orjson.dumps(fields),
        boot=draft.boot if has_key else None,
        seq=draft.seq if has_key else None,
        event_time=event_time,
        expect=expect,
        reason=reason,
    )


def by_delay(product: Product, delay: int) -> Fate:
    """Return what must come of a message whose delivery took `delay` microseconds."""
    if product.max_age is not None and delay > micros_of(product.max_age):
        return "rejected", "too_old"
    if product.lateness is not None and delay > micros_of(product.lateness):
        return "late", None
    return "silver", None


def refused(draft: Draft, fields: Fields, rule: str) -> Posting:
    """Send a message that can be decoded, and expect its rejection."""
    outcome = Outcome(
        body=orjson.dumps(fields),
        boot=draft.boot,
        seq=draft.seq,
        event_time=min(draft.event_time, draft.received_at + draft.tolerance),
        expect="rejected",
        reason=rule,
    )
    return posting(draft, outcome)


def unreadable(draft: Draft, body: bytes, rule: str) -> Posting:
    """Send bytes that are no message, and expect their rejection."""
    return posting(draft, Outcome(body, None, None, None, "rejected", rule))
