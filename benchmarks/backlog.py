"""A backlog in Kafka: telemetry of a thousand devices, the same bytes for all who read it."""

import random
import time
from datetime import UTC, datetime
from typing import NamedTuple

import orjson
from confluent_kafka import Producer

from edge.kafka import PRODUCER_CONFIG
from edge.registry_files import RegistryFiles
from simulator.poison import BODIES
from telemetry.devices import Device
from telemetry.products import product_from_dict
from telemetry.records import record_headers
from telemetry.topics import TELEMETRY

PRODUCT = "bench"
BOOT = "b7"
BY_KEY = -1
"""The partition that librdkafka takes for: choose it."""
LATE_BY_US = 300_000_000
"""Beyond the lateness of the product, which is the usual one."""
OWN = tuple(body for body, _ in BODIES)
"""Poison of our own: one case in sixteen has from a hundred to nine hundred kilobytes."""


def metric_types(count: int) -> dict[str, str]:
    """Return names and types of a message's metrics: numbers, and of six or more two others."""
    names = [f"metric_{number:02}" for number in range(count)]
    others = {names[-2]: "bool", names[-1]: "string"} if count > 5 else {}
    return {name: others.get(name, "double") for name in names}


def enrol(files: RegistryFiles, metrics: int, devices: int) -> None:
    """Write the registry of the devices that send the backlog."""
    rules: dict[str, dict[str, object]] = {
        "double": {"type": "double", "unit": "degC", "min": -40, "max": 80},
        "bool": {"type": "bool"},
        "string": {"type": "string", "values": ["idle", "busy", "off"]},
    }
    types = {name: rules[type_] for name, type_ in metric_types(metrics).items()}
    version = {"version": 1, "metrics": types}
    files.put_product(product_from_dict({"product": PRODUCT, "versions": [version]}))
    files.enrol(
        Device(name(number), zone=f"zone {number % 10}", customer="c", lat=48.0, lng=11.0)
        for number in range(devices)
    )


def name(number: int) -> str:
    """Return a device's full name."""
    return f"{PRODUCT}.d{number:06}"


class Backlog(NamedTuple):
    """What a topic is filled with: events of devices in turn, each with so many metrics.

    One event in `poison_every` is one of the `poison`, one in `late_every` came `LATE_BY` too late
    (0: none). Keys choose the partition, unless there are to be so many `partitions`.
    """

    events: int
    metrics: int
    devices: int
    poison_every: int = 0
    late_every: int = 0
    partitions: int = 0
    poison: tuple[bytes, ...] = OWN

    def is_late(self, event: int) -> bool:
        """Say whether an event is one of the late ones."""
        return bool(self.late_every) and event % self.late_every == 0


def fill(bootstrap: str, backlog: Backlog) -> int:
    """Send the events, each device's in turn; return the bytes of the last one that is good."""
    producer = Producer({"bootstrap.servers": bootstrap, **PRODUCER_CONFIG})
    pick, types = random.Random(1), metric_types(backlog.metrics)
    names = [name(number) for number in range(backlog.devices)]
    body = b""
    for event in range(backlog.events):
        turn, number = divmod(event, backlog.devices)
        now = time.time_ns() // 1000
        at = now - pick.randrange(1_000_000) - (LATE_BY_US if backlog.is_late(event) else 0)
        body = _body(turn, at, types, pick)
        is_poison = backlog.poison_every and event % backlog.poison_every == 0
        sent = pick.choice(backlog.poison) if is_poison else body
        headers = record_headers(names[number], received_at=now, protocol="mqtt")
        place = number % backlog.partitions if backlog.partitions else BY_KEY
        key = names[number].encode()
        while True:
            try:
                producer.produce(TELEMETRY.name, sent, key, place, headers=[*headers])
                break
            except BufferError:
                producer.poll(0.05)
    assert producer.flush() == 0
    return len(body)


def _body(seq: int, at_us: int, types: dict[str, str], pick: random.Random) -> bytes:
    moment = datetime.fromtimestamp(at_us / 1_000_000, UTC).isoformat(timespec="milliseconds")
    metrics = {name: _value(type_, pick) for name, type_ in types.items()}
    said = {"v": 1, "ts": moment.replace("+00:00", "Z"), "boot": BOOT, "seq": seq}
    return orjson.dumps({**said, "metrics": metrics})


def _value(type_: str, pick: random.Random) -> object:
    if type_ == "double":
        return round(pick.uniform(10, 30), 2)
    return pick.random() < 0.5 if type_ == "bool" else pick.choice(("idle", "busy", "off"))
