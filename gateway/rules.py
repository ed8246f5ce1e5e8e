"""Rules for foreign topics: which device a payload is of, and how it becomes a message."""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
import orjson

from edge.mqtt.topics import check_filter, matches
from edge.mqtt.wire import MqttError
from gateway.channels import REJECTS_CHANNEL, TELEMETRY_CHANNEL
from gateway.identity import Identity
from gateway.outcome import Rejected
from telemetry.devices import check_name, full_name
from telemetry.errors import DeviceError, HeadwaterError
from telemetry.message import parse_time, shown

Operator = Literal["==", "!=", "<", "<=", ">", ">="]
_OPERATORS: Mapping[Operator, Callable[[object, object], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,  # type: ignore[dict-item]
    "<=": operator.le,  # type: ignore[dict-item]
    ">": operator.gt,  # type: ignore[dict-item]
    ">=": operator.ge,  # type: ignore[dict-item]
}
UNITS: Mapping[tuple[str, str], tuple[float, float]] = {
    ("degF", "degC"): (5 / 9, -160 / 9),
    ("K", "degC"): (1.0, -273.15),
    ("W", "kW"): (0.001, 0.0),
    ("kW", "W"): (1000.0, 0.0),
    ("Wh", "kWh"): (0.001, 0.0),
    ("mV", "V"): (0.001, 0.0),
    ("mA", "A"): (0.001, 0.0),
    ("mbar", "hPa"): (1.0, 0.0),
    ("Pa", "hPa"): (0.01, 0.0),
    ("psi", "bar"): (0.0689475729, 0.0),
    ("mph", "km/h"): (1.609344, 0.0),
}
"""From and to: what to multiply by, then what to add."""


LONGEST_NAME = 256


class RuleError(HeadwaterError):
    """A rule does not hold."""


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a metric's value comes from."""

    path: str | None = None
    """Names with dots between them; a number is a place in a list."""
    constant: float | str | bool | None = None
    unit: tuple[str, str] | None = None
    scale: float = 1.0
    offset: float = 0.0


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What must hold of a payload, or it is left out."""

    path: str
    op: Operator
    value: float | str | bool


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule, as `rules.json` has it."""

    name: str
    topic: str
    metrics: dict[str, Field] = msgspec.field(default_factory=dict)
    payload: Literal["fields", "message"] = "fields"
    """`message`: the payload is a message already, and the rule says whose it is."""
    product: str | None = None
    """Product of the device that the topic names; None: the session's own device."""
    device: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """Which level of the topic names the device, counted from 1."""
    speakers: tuple[str, ...] = ()
    """Full names of devices that may speak for all of the product's."""
    time: str | None = None
    """Path of an ISO time."""
    where: tuple[Condition, ...] = ()
    to: Literal["telemetry", "uplink"] = "telemetry"
    """The Kafka topic; in `uplink` the rule's name is the channel."""


class _Rules(msgspec.Struct, forbid_unknown_fields=True):
    rules: list[Rule]


@dataclass(frozen=True, slots=True)
class Translated:
    """A foreign payload as a message; `payload` None where a condition leaves it out."""

    device_full: str
    payload: bytes | None
    channel: str = TELEMETRY_CHANNEL


def read_rules(text: bytes) -> tuple[Rule, ...]:
    """Read `rules.json`, or raise `RuleError` that names what is wrong."""
    try:
        rules = tuple(msgspec.json.decode(text, type=_Rules).rules)
        for rule in rules:
            _check(rule)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RuleError(f"rules: {error}") from error
    return rules


def _check(rule: Rule) -> None:
    try:
        check_filter(rule.topic)
    except MqttError as error:
        raise RuleError(f"rule {rule.name}: {error.reason}") from error
    if rule.to == "uplink" and not 0 < len(rule.name) <= LONGEST_NAME:
        raise RuleError(f"rule {rule.name}: a channel has 1 to {LONGEST_NAME} letters")
    if rule.to == "uplink" and rule.name in (TELEMETRY_CHANNEL, REJECTS_CHANNEL):
        raise RuleError(f"rule {rule.name}: the channel of this name is another one")
    if rule.payload == "message" and (rule.metrics or rule.time or rule.where):
        raise RuleError(f"rule {rule.name}: a message has its own metrics and time, all of it")
    if rule.payload == "fields" and not rule.metrics:
        raise RuleError(f"rule {rule.name}: metrics name no field")
    for name, field in rule.metrics.items():
        if (field.path is None) == (field.constant is None):
            raise RuleError(f"rule {rule.name}, {name}: give a path or a constant")
        if field.unit is not None and field.unit not in UNITS:
            known = ", ".join(f"{one} to {other}" for one, other in UNITS)
            raise RuleError(f"rule {rule.name}, {name}: unit is not one of {known}")


def translate(
    rules: Sequence[Rule], identity: Identity | None, topic: str, payload: bytes
) -> Translated | Rejected | None:
    """Turn a foreign payload into a message by the first rule that fits; None if none does.

    `identity` None stands for a broker, which has let its devices in itself: it speaks for all.
    """
    for rule in rules:
        if matches(rule.topic, topic):
            return _translated(rule, identity, topic, payload)
    return None


def _translated(
    rule: Rule, identity: Identity | None, topic: str, payload: bytes
) -> Translated | Rejected:
    name = _device(rule, identity, topic)
    if name is None:
        whose = "another device" if identity else "no device"
        return Rejected("not_authorised", f"rule {rule.name}: the topic names {whose}")
    channel = TELEMETRY_CHANNEL if rule.to == "telemetry" else rule.name
    if rule.payload == "message":
        return Translated(name, payload, channel)
    try:
        data = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        return Rejected("undecodable", f"rule {rule.name}: {error}")
    if not all(_holds(condition, data) for condition in rule.where):
        return Translated(name, None, channel)
    try:
        message = _message(rule, data)
    except _UnreadableError as error:
        return Rejected("undecodable", f"rule {rule.name}: {error}")
    return Translated(name, orjson.dumps(message), channel)


class _UnreadableError(Exception):
    """A payload has not what a rule wants of it."""


def _message(rule: Rule, data: object) -> dict[str, object]:
    metrics = {
        metric: value
        for metric, field in rule.metrics.items()
        if (value := _value(field, data)) is not None
    }
    if not metrics:
        raise _UnreadableError("no field of the payload is there")
    moment = found_at(data, rule.time) if rule.time else None
    if moment is None:
        return {"v": 1, "metrics": metrics}
    if not isinstance(moment, str) or parse_time(moment) is None:
        # Left out it would be the time of receipt, and nobody would know.
        raise _UnreadableError(f"{rule.time} is no ISO time: {shown(moment)}")
    return {"v": 1, "ts": moment, "metrics": metrics}


def _device(rule: Rule, identity: Identity | None, topic: str) -> str | None:
    """Return the device that a message is of, None where the session may not speak for it."""
    if rule.device is None:
        return identity and identity.device_full
    levels = topic.split("/")
    if rule.device > len(levels):
        return None
    try:
        name = check_name(full_name(rule.product or "default", levels[rule.device - 1]))
    except DeviceError:
        return None
    if identity is None or identity.device_full in (name, *rule.speakers):
        return name
    return None


def found_at(data: object, path: str) -> object:
    """Return what stands at a path, None if nothing does."""
    for step in path.split("."):
        if isinstance(data, dict):
            data = data.get(step)
        elif isinstance(data, list) and step.isdecimal() and int(step) < len(data):
            data = data[int(step)]
        else:
            return None
    return data


def _holds(condition: Condition, data: object) -> bool:
    try:
        return _OPERATORS[condition.op](found_at(data, condition.path), condition.value)
    except TypeError:
        return False


def _value(field: Field, data: object) -> float | str | bool | None:
    if field.path is None:
        return field.constant
    value = found_at(data, field.path)
    if not isinstance(value, bool | str | int | float):
        return None
    factor, addend = UNITS[field.unit] if field.unit else (1.0, 0.0)
    if field.scale == factor == 1.0 and field.offset == addend == 0.0:
        return value
    found = (_number(value, field.path) * factor + addend) * field.scale + field.offset
    return found if math.isfinite(found) else None


def _number(value: float | str | bool, path: str) -> float:
    """Return a number, or the number that a text is; raise for what cannot be converted."""
    if isinstance(value, str):
        with suppress(orjson.JSONDecodeError):
            said = orjson.loads(value)
            value = said if isinstance(said, int | float) else value
    if isinstance(value, bool | str):
        raise _UnreadableError(f"{path} is no number: {shown(value)}")
    return value
