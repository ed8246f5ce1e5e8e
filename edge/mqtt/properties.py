"""MQTT 5's properties: one record of all of them, read and written by one table."""

from dataclasses import dataclass, fields
from typing import Literal, NamedTuple

from edge.mqtt.wire import (
    PROTOCOL_ERROR,
    TOPIC_ALIAS_INVALID,
    MqttError,
    Reader,
    binary,
    malformed,
    text,
    variable,
)

Kind = Literal["byte", "two", "four", "variable", "binary", "text", "pair"]


@dataclass(slots=True)
class Properties:
    """What a packet carries beside its fields; None where it says nothing."""

    payload_format: int | None = None
    message_expiry_s: int | None = None
    content_type: str | None = None
    response_topic: str | None = None
    correlation: bytes | None = None
    subscription_ids: tuple[int, ...] = ()
    session_expiry_s: int | None = None
    assigned_client_id: str | None = None
    server_keep_alive_s: int | None = None
    authentication_method: str | None = None
    authentication_data: bytes | None = None
    request_problem: int | None = None
    will_delay_s: int | None = None
    request_response: int | None = None
    response_information: str | None = None
    server_reference: str | None = None
    reason: str | None = None
    receive_maximum: int | None = None
    topic_alias_maximum: int | None = None
    topic_alias: int | None = None
    maximum_qos: int | None = None
    retain_available: int | None = None
    user: tuple[tuple[str, str], ...] = ()
    maximum_packet_size: int | None = None
    wildcards_available: int | None = None
    subscription_ids_available: int | None = None
    shared_available: int | None = None


NONE = Properties()
"""Shared by all packets without properties: never changed."""


class _Field(NamedTuple):
    name: str
    kind: Kind


_TABLE: dict[int, _Field] = {
    1: _Field("payload_format", "byte"),
    2: _Field("message_expiry_s", "four"),
    3: _Field("content_type", "text"),
    8: _Field("response_topic", "text"),
    9: _Field("correlation", "binary"),
    11: _Field("subscription_ids", "variable"),
    17: _Field("session_expiry_s", "four"),
    18: _Field("assigned_client_id", "text"),
    19: _Field("server_keep_alive_s", "two"),
    21: _Field("authentication_method", "text"),
    22: _Field("authentication_data", "binary"),
    23: _Field("request_problem", "byte"),
    24: _Field("will_delay_s", "four"),
    25: _Field("request_response", "byte"),
    26: _Field("response_information", "text"),
    28: _Field("server_reference", "text"),
    31: _Field("reason", "text"),
    33: _Field("receive_maximum", "two"),
    34: _Field("topic_alias_maximum", "two"),
    35: _Field("topic_alias", "two"),
    36: _Field("maximum_qos", "byte"),
    37: _Field("retain_available", "byte"),
    38: _Field("user", "pair"),
    39: _Field("maximum_packet_size", "four"),
    40: _Field("wildcards_available", "byte"),
    41: _Field("subscription_ids_available", "byte"),
    42: _Field("shared_available", "byte"),
}
_IDS = {field.name: number for number, field in _TABLE.items()}
_REPEATED = ("user", "subscription_ids")
_NOT_ZERO = ("receive_maximum", "topic_alias", "maximum_packet_size", "subscription_ids")
_FLAGS = ("payload_format", "request_problem", "request_response")

_OF_PUBLISH = {1, 2, 3, 8, 9, 11, 35, 38}
_OF_ACK = {31, 38}
ALLOWED: dict[str, frozenset[int]] = {
    "connect": frozenset({17, 21, 22, 23, 25, 33, 34, 38, 39}),
    "will": frozenset({1, 2, 3, 8, 9, 24, 38}),
    "connack": frozenset({17, 18, 19, 21, 22, 26, 28, 31, 33, 34, 36, 37, 38, 39, 40, 41, 42}),
    "publish": frozenset(_OF_PUBLISH),
    "ack": frozenset(_OF_ACK),
    "subscribe": frozenset({11, 38}),
    "unsubscribe": frozenset({38}),
    "disconnect": frozenset({17, 28, 31, 38}),
    "auth": frozenset({21, 22, 31, 38}),
}


def read_properties(reader: Reader, packet: str) -> Properties:
    """Read the properties that this kind of packet may have."""
    length = reader.variable()
    if not length:
        return NONE
    inner, found, allowed = Reader(reader.raw(length)), Properties(), ALLOWED[packet]
    # By number; a packet may hold ten thousands of one that may be repeated.
    values: dict[int, list[object]] = {}
    while inner.left:
        number = inner.variable()
        if number not in allowed:
            malformed(f"property {number} in a packet of kind {packet}")
        field = _TABLE[number]
        if number in values and field.name not in _REPEATED:
            raise MqttError(PROTOCOL_ERROR, f"property {field.name} twice")
        values.setdefault(number, []).append(_checked(field, _read(inner, field.kind)))
    for number, given in values.items():
        name = _TABLE[number].name
        setattr(found, name, tuple(given) if name in _REPEATED else given[0])
    return found


def _read(reader: Reader, kind: Kind) -> int | bytes | str | tuple[str, str]:
    if kind == "byte":
        return reader.byte()
    if kind == "two":
        return reader.number(2)
    if kind == "four":
        return reader.number(4)
    if kind == "variable":
        return reader.variable()
    if kind == "binary":
        return reader.binary()
    return reader.text() if kind == "text" else (reader.text(), reader.text())


def _checked(field: _Field, value: object) -> object:
    """Return a property's value, or raise for one that it cannot have."""
    if (field.name in _NOT_ZERO and value == 0) or (field.name in _FLAGS and value not in (0, 1)):
        code = TOPIC_ALIAS_INVALID if field.name == "topic_alias" else PROTOCOL_ERROR
        raise MqttError(code, f"property {field.name} is {value}")
    return value


def property_bytes(properties: Properties) -> bytes:
    """Return the properties with their length in front."""
    if properties is NONE:
        return b"\0"
    out = b"".join(_written(field.name, getattr(properties, field.name)) for field in _NAMES)
    return variable(len(out)) + out


_NAMES = fields(Properties)


def _written(name: str, value: object) -> bytes:
    if value is None:
        return b""
    number = _IDS[name]
    values = value if isinstance(value, tuple) else (value,)
    return b"".join(bytes((number,)) + _value(_TABLE[number].kind, each) for each in values)


def _value(kind: Kind, value: object) -> bytes:
    if isinstance(value, int):
        sizes = {"byte": 1, "two": 2, "four": 4}
        return value.to_bytes(sizes[kind]) if kind in sizes else variable(value)
    if isinstance(value, bytes):
        return binary(value)
    if isinstance(value, tuple):
        return text(value[0]) + text(value[1])
    return text(str(value))
