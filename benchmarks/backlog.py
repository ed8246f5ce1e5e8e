"""A backlog in Kafka: telemetry of a thousand devices, the same bytes for all who read it."""

import random
import time
from datetime import UTC, datetime

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


def fill(bootstrap: str, events: int, metrics: int, devices: int, *, poison_every: int = 0) -> int:
    """Send the events, each device's in turn, some of them poison; return the bytes of one."""
    producer = Producer({"bootstrap.servers": bootstrap, **PRODUCER_CONFIG})
    pick, types, names = random.Random(1), metric_types(metrics), [name(n) for n in range(devices)]
    body = b""
    for event in range(events):
        device, now = names[event % devices], time.time_ns() // 1000
        body = _body(event // devices, now - pick.randrange(1_000_000), types, pick)
        sent = body if not poison_every or event % poison_every else pick.choice(BODIES)[0]
        headers = record_headers(device, received_at=now, protocol="mqtt")
        while True:
            try:
                producer.produce(TELEMETRY.name, sent, device.encode(), headers=[*headers])
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
