"""Rules for foreign topics: which device a payload is of, and how it becomes a message."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
import orjson

from edge.mqtt.topics import SHARED, check_filter, matches, matches_levels
from edge.mqtt.wire import MqttError
from gateway.channels import OWN_WORDS, ROOT, TELEMETRY_CHANNEL
from gateway.fields import (
    UNITS,
    WHOLE,
    Condition,
    Field,
    TimeUnit,
    UnreadableError,
    holds,
    moment_at,
    value_of,
)
from gateway.identity import Identity
from gateway.outcome import Rejected
from telemetry.devices import check_name, full_name, split_full_name
from telemetry.errors import DeviceError, HeadwaterError
from telemetry.topics import TELEMETRY, TOPICS, UPLINK

BELOW_ROOT = f"{ROOT}/"
LONGEST_NAME = 256
_KAFKA_TOPIC = re.compile(r"(?!__)(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}")
_OF_OTHERS = {topic.name for topic in TOPICS} - {TELEMETRY.name, UPLINK.name}


class RuleError(HeadwaterError):
    """A rule does not hold."""


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
    """Path of the time."""
    time_unit: TimeUnit = "iso"
    """What a time is that is a number: seconds, milliseconds or microseconds since 1970."""
    where: tuple[Condition, ...] = ()
    to: str = TELEMETRY.name
    """The Kafka topic: `telemetry`, `uplink` or another than Headwater's own; beside telemetry the
    rule's name is the channel."""

    @property
    def is_of_values(self) -> bool:
        """Whether payloads are values themselves, so that one that is no JSON is a text."""
        paths = [field.path for field in self.metrics.values() if field.path is not None]
        paths += [condition.path for condition in self.where]
        return self.time is None and bool(paths) and all(path == WHOLE for path in paths)


class _Rules(msgspec.Struct, forbid_unknown_fields=True):
    rules: list[Rule]


@dataclass(frozen=True, slots=True)
class Translated:
    """A foreign payload as a message; `payload` None where a condition leaves it out."""

    device_full: str
    payload: bytes | None
    channel: str = TELEMETRY_CHANNEL
    topic: str = TELEMETRY.name
    """Of Kafka."""


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
    for complaint in _complaints(rule):
        raise RuleError(f"rule {rule.name}: {complaint}")


def _complaints(rule: Rule) -> Iterator[str]:
    try:
        check_filter(rule.topic)
    except MqttError as error:
        yield error.reason
    yield from _of_topic(rule)
    yield from _of_channel(rule)
    if rule.payload == "message" and (rule.metrics or rule.time or rule.where):
        yield "a message has its own metrics and time, all of it"
    if rule.payload == "fields" and not rule.metrics:
        yield "metrics name no field"
    if rule.time_unit != "iso" and rule.time is None:
        yield f"time_unit {rule.time_unit} of no time"
    for name, field in rule.metrics.items():
        if (field.path is None) == (field.constant is None):
            yield f"{name}: give a path or a constant"
        if field.unit is not None and field.unit not in UNITS:
            known = ", ".join(f"{one} to {other}" for one, other in UNITS)
            yield f"{name}: unit is not one of {known}"


def _of_channel(rule: Rule) -> Iterator[str]:
    if rule.to == TELEMETRY.name:
        return
    if not 0 < len(rule.name) <= LONGEST_NAME:
        yield f"a channel has 1 to {LONGEST_NAME} letters"
    if rule.name in (TELEMETRY_CHANNEL, *OWN_WORDS):
        yield "the channel of this name is another one"
    if rule.to in _OF_OTHERS or not _KAFKA_TOPIC.fullmatch(rule.to):
        yield f"to {rule.to}: name {TELEMETRY.name}, {UPLINK.name} or a Kafka topic of your own"


def _of_topic(rule: Rule) -> Iterator[str]:
    """Say why a rule would never be asked, or name nobody."""
    levels = rule.topic.split("/")
    if rule.topic.startswith(SHARED):
        yield f"topic {rule.topic}: name what devices publish to, without $share and a group"
    if rule.device and rule.device > len(levels) and levels[-1] != "#":
        yield f"device is level {rule.device} of a topic that has {len(levels)}"
    if rule.topic.startswith(BELOW_ROOT):
        part, others = "/".join(levels[2:]), (TELEMETRY_CHANNEL, *OWN_WORDS)
        if not part or any(matches_levels(part, own) for own in others):
            yield (
                f"topic {rule.topic}: below {ROOT}/{{id}}/ rules are asked for all topics but"
                f" {', '.join(others)}: name another one, as in {ROOT}/+/sensor/#"
            )


def rule_for(rules: Sequence[Rule], topic: str) -> Rule | None:
    """Return the first rule that fits a topic.

    Below `devices/` that is one that names this root: a wildcard in its place fits all topics but
    these, as it fits none that begins with `$`.
    """
    is_below = topic.startswith(BELOW_ROOT)
    for rule in rules:
        if rule.topic.startswith(BELOW_ROOT) == is_below and matches(rule.topic, topic):
            return rule
    return None


def translate(
    rules: Sequence[Rule], identity: Identity | None, topic: str, payload: bytes
) -> Translated | Rejected | None:
    """Turn a foreign payload into a message by the first rule that fits; None if none does.

    `identity` None stands for a broker, which has let its devices in itself: it speaks for all.
    """
    rule = rule_for(rules, topic)
    return None if rule is None else _translated(rule, identity, topic, payload)


def _translated(
    rule: Rule, identity: Identity | None, topic: str, payload: bytes
) -> Translated | Rejected:
    name = _device(rule, identity, topic)
    if name is None:
        whose = "another device" if identity else "no device"
        return Rejected("not_authorised", f"rule {rule.name}: the topic names {whose}")
    channel = TELEMETRY_CHANNEL if rule.to == TELEMETRY.name else rule.name
    if rule.payload == "message":
        return Translated(name, payload, channel, rule.to)
    try:
        data = _read(rule, payload)
        if not all(holds(condition, data) for condition in rule.where):
            return Translated(name, None, channel, rule.to)
        message = _message(rule, data)
    except UnreadableError as error:
        return Rejected("undecodable", f"rule {rule.name}: {error}")
    return Translated(name, orjson.dumps(message), channel, rule.to)


def _read(rule: Rule, payload: bytes) -> object:
    try:
        return orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        if payload and rule.is_of_values:
            try:
                return payload.decode()
            except UnicodeDecodeError:
                raise UnreadableError("neither JSON nor a text in UTF-8") from error
        raise UnreadableError(str(error)) from error


def _message(rule: Rule, data: object) -> dict[str, object]:
    metrics = {
        metric: value
        for metric, field in rule.metrics.items()
        if (value := value_of(field, data)) is not None
    }
    if not metrics:
        raise UnreadableError("no field of the payload is there")
    moment = moment_at(data, rule.time, rule.time_unit) if rule.time else None
    if moment is None:
        return {"v": 1, "metrics": metrics}
    return {"v": 1, "ts": moment, "metrics": metrics}


def _device(rule: Rule, identity: Identity | None, topic: str) -> str | None:
    """Return the device that a message is of, None where the session may not speak for it."""
    if rule.device is None:
        return identity and identity.device_full
    levels = topic.split("/")
    if rule.device > len(levels):
        return None
    level, product = levels[rule.device - 1], rule.product or "default"
    try:
        # Below `devices/` a topic may have the full name.
        name = check_name(level if "." in level else full_name(product, level))
    except DeviceError:
        return None
    if rule.product is not None and split_full_name(name)[0] != rule.product:
        return None
    if identity is None or identity.device_full in (name, *rule.speakers):
        return name
    return None
