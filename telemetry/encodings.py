"""Messages in CBOR, plain or compact, beside JSON: the same fields, the same reasons.

The compact form is one CBOR map for many messages of a device, each number as its difference to
the message before:

    {"b": boot, "s": first seq, "t": first time in µs since 1970, "m": [metric, …],
     "d": [decimals or null, …], "r": [[µs since the row before, difference or value, …], …]}

A metric with `decimals` is a whole number of 10^-decimals, given as the difference to its last
value (0 before the first); one without is given as it is; null is no reading. Row i has seq s + i.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import islice
from typing import cast

import cbor2
import orjson

from telemetry.cbor import decoder
from telemetry.message import (
    MOST_MESSAGES,
    MOST_REASONS,
    Decoded,
    Reason,
    decode,
    read,
    shown,
    too_many,
)
from telemetry.records import JSON

CBOR = "application/cbor"
MOST_ROWS = 10_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ARRAYS = range(0x80, 0xA0)
_MAPS = range(0xA0, 0xC0)
_SELF_DESCRIBED = b"\xd9\xd9\xf7"
"""What may stand before any CBOR to say that it is some (RFC 8949, 3.4.6); no text begins so."""
_NO_CBOR = (
    cbor2.CBORDecodeError,
    ArithmeticError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What is raised of bytes that are no message: CBOR has numbers of any size, and dates."""


def content_type_of(payload: bytes) -> str:
    """Tell CBOR from JSON by the first byte: none begins both a map or list of each."""
    is_cbor = payload.startswith(_SELF_DESCRIBED) or (payload and 0x80 <= payload[0] <= 0xBF)
    return CBOR if is_cbor else JSON


def decode_as(payload: bytes | None, content_type: str) -> list[Decoded]:
    """Decode a record's value by its content type; never raises."""
    if payload and content_type.startswith(CBOR):
        return _decode_cbor(payload)
    return decode(payload)


def message_bytes(value: bytes, content_type: str, item: int) -> bytes | None:
    """Return the bytes of one of a record's messages, None where it has not so many."""
    messages = decode_as(value, content_type)
    return messages[item].raw if item < len(messages) else None


def decode_message(raw: bytes) -> Decoded:
    """Decode the bytes of one message again, which say by themselves whether they are CBOR."""
    return decode_as(raw, CBOR if raw[:1] >= b"\x80" else JSON)[0]


def _decode_cbor(payload: bytes) -> list[Decoded]:
    try:
        said = payload.removeprefix(_SELF_DESCRIBED)
        if said and said[0] in _ARRAYS:
            found = [_one(raw, data) for raw, data in islice(_elements(said), MOST_MESSAGES + 1)]
            if len(found) > MOST_MESSAGES:
                raise ValueError(too_many(f"over {MOST_MESSAGES:,}"))
            return found or [_refused(payload, "empty", "[]")]
        data = _whole(payload)
        if isinstance(data, Mapping) and "r" in data and "metrics" not in data:
            return _expanded(payload, cast(Mapping[str, object], data))
        return [_one(payload, data)]
    except _NO_CBOR as error:
        return [_refused(payload, "malformed", str(error))]


def _whole(payload: bytes) -> object:
    stream = BytesIO(payload)
    data: object = decoder(stream).decode()
    if stream.tell() != len(payload):
        raise ValueError(f"{len(payload) - stream.tell()} bytes behind the message")
    return data


def _elements(payload: bytes) -> Iterator[tuple[bytes, object]]:
    """Yield each element of a list with its own bytes."""
    stream = BytesIO(payload)
    count = _count(stream)
    reader = decoder(stream)
    while count != 0:
        start = stream.tell()
        if count is None and payload[start : start + 1] == b"\xff":
            stream.seek(start + 1)
            break
        data = reader.decode()
        yield payload[start : stream.tell()], data
        count = None if count is None else count - 1
    if stream.tell() != len(payload):
        raise ValueError(f"{len(payload) - stream.tell()} bytes behind the list")


def _count(stream: BytesIO) -> int | None:
    """Read a list's head: how many elements follow, None for an open end."""
    low = stream.read(1)[0] & 0x1F
    if low == 31:
        return None
    if low < 24:
        return low
    if low > 27:
        raise ValueError("no list begins so")
    size = 1 << low - 24
    head = stream.read(size)
    if len(head) < size:
        raise ValueError("the list has no length")
    return int.from_bytes(head)


def _one(raw: bytes, data: object) -> Decoded:
    if not isinstance(data, Mapping) or not all(isinstance(name, str) for name in data):
        return _refused(raw, "not_a_message", shown(data))
    message = dict(cast(Mapping[str, object], data))
    if isinstance(moment := message.get("ts"), datetime):
        message["ts"] = moment.isoformat()
    for field in ("metrics", "tags"):
        if isinstance(said := message.get(field), Mapping):
            if not all(isinstance(name, str) for name in said):
                return _refused(raw, "not_a_message", f"a name in {field} is no text")
            message[field] = dict(said)
    reasons = _not_finite(message.get("metrics"))
    return Decoded(raw, None, reasons) if reasons else read(raw, message)


def _not_finite(metrics: object) -> tuple[Reason, ...]:
    """Return a reason for each number that no double can be, as far as there is room."""
    if not isinstance(metrics, dict):
        return ()
    wrong = [name for name, value in metrics.items() if _is_beyond(value)]
    found = [Reason(name, "not_finite", _told(metrics[name])) for name in wrong[:MOST_REASONS]]
    left_out = len(wrong) - len(found)
    more = (Reason("", "not_finite", f"and {left_out:,} metrics more"),) if left_out else ()
    return (*found, *more)


def _is_beyond(value: object) -> bool:
    try:
        return isinstance(value, int | float) and not math.isfinite(value)
    except OverflowError:
        # A whole number of any size is one in CBOR.
        return True


def _told(value: object) -> str:
    return str(value) if isinstance(value, float) else shown(value)


def _refused(raw: bytes, rule: str, value: str) -> Decoded:
    return Decoded(raw, None, (Reason("", rule, value[:200]),))


def _expanded(payload: bytes, data: Mapping[str, object]) -> list[Decoded]:
    names, decimals, rows = _list(data, "m"), _list(data, "d"), _list(data, "r")
    if not rows or len(rows) > MOST_ROWS or len(names) != len(decimals):
        return [_refused(payload, "malformed", f"1 to {MOST_ROWS} rows, a scale for each metric")]
    if not all(isinstance(name, str) for name in names) or len({*names}) < len(names):
        return [_refused(payload, "malformed", "m names each metric once, as a text")]
    time_us, first = _number(data, "t"), _number(data, "s")
    last: list[int] = [0] * len(names)
    found: list[Decoded] = []
    for number, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(names) + 1:
            return [_refused(payload, "malformed", f"row {number} has another length")]
        message: dict[str, object] = {"v": 1}
        if time_us is not None:
            time_us += 0 if row[0] is None else _whole_number(row[0])
            message["ts"] = _iso(time_us)
        if data.get("b") is not None:
            message["boot"] = data["b"]
        if first is not None:
            message["seq"] = first + number
        message["metrics"] = dict(_values(cast(list[str], names), decimals, row[1:], last))
        found.append(_one(orjson.dumps(message), message))
    return found


def _number(data: Mapping[str, object], name: str) -> int | None:
    said = data.get(name)
    return None if said is None else _whole_number(said)


def _whole_number(said: object) -> int:
    if isinstance(said, bool) or not isinstance(said, int | float) or said != int(said):
        raise ValueError(f"{shown(said)} is no whole number")
    return int(said)


def _list(data: Mapping[str, object], name: str) -> Sequence[object]:
    found = data.get(name)
    if not isinstance(found, list):
        raise ValueError(f"{name} is no list")
    return found


def _iso(time_us: int) -> str:
    return (_EPOCH + timedelta(microseconds=time_us)).isoformat().replace("+00:00", "Z")


def _values(
    names: Sequence[str], decimals: Sequence[object], row: Sequence[object], last: list[int]
) -> Iterator[tuple[str, object]]:
    for place, value in enumerate(row):
        if value is None:
            continue
        scale = decimals[place]
        if scale is None:
            yield names[place], value
            continue
        last[place] += _whole_number(value)
        power = _whole_number(scale)
        if not 0 <= power <= 12:
            raise ValueError(f"decimals {power}")
        yield names[place], last[place] / 10**power if power else last[place]


def encode_cbor(message: Mapping[str, object]) -> bytes:
    """Return a message as CBOR."""
    return cbor2.dumps(message)


def encode_compact(
    rows: Sequence[tuple[int, Mapping[str, object]]],
    decimals: Mapping[str, int | None],
    *,
    boot: str,
    seq: int,
) -> bytes:
    """Return readings in the compact form; each row is its time in µs and its metrics."""
    last = dict.fromkeys(decimals, 0)
    out: list[list[object]] = []
    before = rows[0][0]
    for time_us, metrics in rows:
        row: list[object] = [time_us - before]
        before = time_us
        for name, scale in decimals.items():
            value = metrics.get(name)
            if value is not None and scale is not None:
                whole = round(float(str(value)) * 10**scale)
                value, last[name] = whole - last[name], whole
            row.append(value)
        out.append(row)
    head = {"b": boot, "s": seq, "t": rows[0][0], "m": [*decimals], "d": [*decimals.values()]}
    return cbor2.dumps(head | {"r": out})
