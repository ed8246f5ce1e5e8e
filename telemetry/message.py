"""The message, version 1: its JSON codec, its key, and what can be wrong with its form."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import NamedTuple, TypeVar

import msgspec
import orjson

Value = float | int | str | bool
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_FIRST_US = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST_US = (datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC) - _EPOCH) // _MICROSECOND
_MAX_SEQ = 2**63 - 1
_LEAST, _GREATEST = -(2**63), 2**64 - 1
"""Whole numbers that are written as they are."""
_SHOWN = 200
_LONG_BITS = 1024
_Item = TypeVar("_Item")
MOST_MESSAGES = 50_000
"""Of a list: more are not messages, of which Kafka's largest record has no room for as many."""
PLACE_BOOT = "k:"
"""So begins the boot of a message that says neither `seq` nor `ts`: it is unique, and never held
against others. A device that numbers its messages under such a name is refused."""
MOST_REASONS = 100
"""Of one message. Of those left out each rule is told once, with a count: else a message of nothing
but unknown names would be many times its size in reasons."""


class Reason(NamedTuple):
    """Why a message is rejected: the field or metric ('' for the whole), the rule, the value."""

    field: str
    rule: str
    value: str


class Message(NamedTuple):
    """What a device said at one time. `ts` is in microseconds since 1970."""

    ts: int | None
    boot: str | None
    seq: int | None
    metrics: dict[str, object]
    lat: float | None
    lng: float | None
    tags: dict[str, str] | None
    device: str | None


class Place(NamedTuple):
    """Where a message stands: its record's coordinates, and its position among `items`."""

    topic: str
    partition: int
    offset: int
    item: int
    items: int


class Decoded(NamedTuple):
    """One message's bytes with the message, or with the reasons why it is none."""

    raw: bytes
    message: Message | None
    reasons: tuple[Reason, ...]


def shown(value: object) -> str:
    """Return the value as JSON, cut to what a person reads; what JSON has not is named."""
    if isinstance(value, float) or (isinstance(value, int) and _LEAST <= value <= _GREATEST):
        # Of many names each value is shown, and most are numbers.
        return orjson.dumps(value).decode()
    try:
        text = orjson.dumps(_cut(value, [_SHOWN]), default=_named).decode()
    except TypeError:
        text = type(value).__name__
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _cut(value: object, room: list[int]) -> object:
    """Return as much of a value as is shown: a device may send one of any size and depth.

    Each part of it is a sign at least, so there is room for no more parts than signs.
    """
    room[0] -= 1
    if isinstance(value, str):
        return value[: _SHOWN + 1]
    if isinstance(value, int):
        return value if _LEAST <= value <= _GREATEST else orjson.Fragment(_digits(value))
    if isinstance(value, Mapping):
        return {_name(name): _cut(each, room) for name, each in _some(value.items(), room)}
    if isinstance(value, list | tuple):
        return [_cut(each, room) for each in _some(value, room)]
    return value


def _some(items: Iterable[_Item], room: list[int]) -> Iterable[_Item]:
    return takewhile(lambda _: room[0] >= 0, items)


def _name(name: object) -> str:
    if isinstance(name, str):
        return name[: _SHOWN + 1]
    return _digits(name) if isinstance(name, int) else type(name).__name__


def _digits(value: int) -> str:
    # Python makes no decimal digits of very long numbers.
    return str(value) if value.bit_length() < _LONG_BITS else hex(value)


def _named(value: object) -> orjson.Fragment:
    if isinstance(value, bytes):
        return orjson.Fragment(repr(value[: _SHOWN + 1]))
    return orjson.Fragment(type(value).__name__)


def decode(value: bytes | None) -> list[Decoded]:
    """Decode a record's value: one message, or a list of them; never raises.

    What is no JSON at all (or an empty list) is one item with its reasons.
    """
    if not value:
        return [_refused(value or b"", "empty", "")]
    if value.lstrip(b" \t\r\n")[:1] == b"[":
        return _decode_list(value)
    return [_decode_one(value)]


def _decode_list(value: bytes) -> list[Decoded]:
    try:
        elements = _ELEMENTS.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return [_refused(value, "malformed", str(error))]
    if not elements:
        return [_refused(value, "empty", "[]")]
    if len(elements) > MOST_MESSAGES:
        return [_refused(value, "malformed", too_many(f"{len(elements):,}"))]
    return [_decode_one(bytes(element)) for element in elements]


def too_many(found: str) -> str:
    """Return what is said of a list that is longer than one may be."""
    return f"{found} messages in a list, at most {MOST_MESSAGES:,}"


def _decode_one(raw: bytes) -> Decoded:
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        return _refused(raw, "malformed", str(error))
    if not isinstance(data, dict):
        return _refused(raw, "not_a_message", shown(data))
    return read(raw, data)


def _refused(raw: bytes, rule: str, value: str) -> Decoded:
    return Decoded(raw, None, (Reason("", rule, value[:_SHOWN]),))


def read(raw: bytes, data: dict[str, object]) -> Decoded:
    """Read a message's fields, whatever form its bytes have."""
    reasons: list[Reason] = []
    version, metrics = data.get("v", 1), data.get("metrics")
    if version != 1 or isinstance(version, bool):
        reasons.append(Reason("v", "version", shown(version)))
    if not isinstance(metrics, dict):
        rule = "type" if "metrics" in data else "missing"
        reasons.append(Reason("metrics", rule, shown(metrics)))
        metrics = {}
    elif not metrics:
        reasons.append(Reason("metrics", "missing", "{}"))
    ts = _time(data, reasons)
    boot, seq = _text("boot", data, reasons), _seq(data, reasons)
    if seq is not None and is_reserved(boot):
        reasons.append(Reason("boot", "reserved", shown(boot)))
    lat, lng = _place(data, reasons)
    tags = _tags(data, reasons)
    device = _text("device", data, reasons) or _text("device_id", data, reasons)
    if reasons:
        return Decoded(raw, None, tuple(reasons))
    return Decoded(raw, Message(ts, boot, seq, metrics, lat, lng, tags, device), ())


def _time(data: dict[str, object], reasons: list[Reason]) -> int | None:
    ts = data.get("ts")
    if ts is None:
        return None
    if isinstance(ts, str):
        micros = parse_time(ts)
        if micros is not None:
            return micros
    reasons.append(Reason("ts", "type", shown(ts)))
    return None


def parse_time(text: str) -> int | None:
    """Return microseconds since 1970 of an ISO 8601 time, UTC where it names no zone.

    None for one that is in no year from 1 to 9999 of UTC: its offset may lead out of them.
    """
    try:
        # RFC 3339 lets devices write it small.
        moment = datetime.fromisoformat(f"{text[:-1]}Z" if text[-1:] == "z" else text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    micros = (moment - _EPOCH) // _MICROSECOND
    return micros if _FIRST_US <= micros <= _LAST_US else None


def _text(name: str, data: dict[str, object], reasons: list[Reason]) -> str | None:
    value = data.get(name)
    if value is None or isinstance(value, str):
        return value
    reasons.append(Reason(name, "type", shown(value)))
    return None


def _seq(data: dict[str, object], reasons: list[Reason]) -> int | None:
    seq = data.get("seq")
    if seq is None:
        return None
    if not isinstance(seq, int) or isinstance(seq, bool):
        reasons.append(Reason("seq", "type", shown(seq)))
        return None
    if not 0 <= seq <= _MAX_SEQ:
        reasons.append(Reason("seq", "range", shown(seq)))
        return None
    return seq


def _place(data: dict[str, object], reasons: list[Reason]) -> tuple[float | None, float | None]:
    if "lat" not in data and "lng" not in data:
        return None, None
    lat, lng = _degrees("lat", 90, data, reasons), _degrees("lng", 180, data, reasons)
    for name, here, there in (("lat", lat, lng), ("lng", lng, lat)):
        if here is None and there is not None and data.get(name) is None:
            reasons.append(Reason(name, "missing", ""))
    return lat, lng


def _degrees(name: str, limit: int, data: dict[str, object], reasons: list[Reason]) -> float | None:
    value = data.get(name)
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool):
        reasons.append(Reason(name, "type", shown(value)))
    elif not -limit <= value <= limit:
        reasons.append(Reason(name, "range", shown(value)))
    else:
        return float(value)
    return None


def _tags(data: dict[str, object], reasons: list[Reason]) -> dict[str, str] | None:
    tags = data.get("tags")
    if tags is None:
        return None
    if not isinstance(tags, dict):
        reasons.append(Reason("tags", "type", shown(tags)))
        return None
    wrong = [name for name, value in tags.items() if not isinstance(value, str)]
    told, left_out = wrong[:MOST_REASONS], wrong[MOST_REASONS:]
    reasons.extend(Reason(f"tags.{name}", "type", shown(tags[name])) for name in told)
    if left_out:
        reasons.append(Reason("tags", "type", f"and {len(left_out):,} tags more"))
    return None if wrong else tags


def is_reserved(boot: str | None) -> bool:
    """Tell whether a boot is named as only that of a message without a key of its own may be."""
    return boot is not None and boot.startswith(PLACE_BOOT)


def message_key(message: Message | None, raw: bytes, place: Place) -> tuple[str, int]:
    """Return (boot, seq): what the device gave, else a hash of its bytes, else its coordinates."""
    if message is not None and message.seq is not None:
        return message.boot or "", message.seq
    if message is not None and message.ts is not None:
        return "h:" + hashlib.sha256(raw).hexdigest()[:32], 0
    return f"{PLACE_BOOT}{place.topic}:{place.partition}:{place.item}", place.offset
