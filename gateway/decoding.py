"""Decoding at the gateway: far enough to know that a record can be read, and whose it says it is.

What is well formed takes one pass of msgspec; anything else is read again by `telemetry.message`,
whose reasons are the ones that landing would give.
"""

from datetime import MAXYEAR, MINYEAR, datetime
from typing import Annotated, Literal

import msgspec

from gateway.outcome import Fault, Rejected
from telemetry.encodings import decode_as
from telemetry.message import Message, is_reserved


class _Plain(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A message as most are: what is not so is examined at length."""

    metrics: Annotated[dict[str, object], msgspec.Meta(min_length=1)]
    v: Literal[1] = 1
    ts: datetime | None = None
    boot: str | None = None
    seq: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] | None = None
    lat: Annotated[float, msgspec.Meta(ge=-90, le=90)] | None = None
    lng: Annotated[float, msgspec.Meta(ge=-180, le=180)] | None = None
    tags: dict[str, str] | None = None


_plain = msgspec.json.Decoder(_Plain).decode


def refused(payload: bytes, content_type: str, names: tuple[str, ...]) -> Rejected | None:
    """Say why a record cannot be read, or is not of the device that sent it; None if it is fine."""
    if payload[:1] == b"{":
        try:
            message = _plain(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
        else:
            is_placed = (message.lat is None) is (message.lng is None)
            if is_placed and not is_reserved(message.boot) and _is_in_utc(message.ts):
                return None
    found = examined(payload, content_type, names)
    return found if isinstance(found, Rejected) else None


def _is_in_utc(moment: datetime | None) -> bool:
    """Say whether a time is in a year of UTC: its offset leads out of the first and the last."""
    return moment is None or MINYEAR < moment.year < MAXYEAR


def examined(payload: bytes, content_type: str, names: tuple[str, ...]) -> int | Rejected:
    """Return how many messages a record of any form holds, or why it cannot be read."""
    decoded = decode_as(payload, content_type)
    faults = tuple(
        Fault(item, reason.field, reason.rule, reason.value)
        for item, each in enumerate(decoded)
        for reason in each.reasons
    )
    if faults:
        return Rejected("undecodable", _words(faults[0]), faults=faults)
    strange = tuple(
        Fault(item, "device", "device_mismatch", each.message.device or "")
        for item, each in enumerate(decoded)
        if each.message and _is_strange(each.message, names)
    )
    if strange:
        return Rejected("device_mismatch", _words(strange[0]), faults=strange)
    return len(decoded)


def counted(payload: bytes, content_type: str, names: tuple[str, ...]) -> int | Rejected:
    """Return how many messages a record holds, decoded once, or why it cannot be read."""
    if payload[:1] == b"{":
        return refused(payload, content_type, names) or 1
    return examined(payload, content_type, names)


def _is_strange(message: Message, names: tuple[str, ...]) -> bool:
    return message.device is not None and message.device not in names


def _words(fault: Fault) -> str:
    where = f"message {fault.item + 1}" + (f", {fault.field}" if fault.field else "")
    return f"{where}: {fault.rule}" + (f" ({fault.value})" if fault.value else "")
