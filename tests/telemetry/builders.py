"""Builders of records and registries, so that a test states only what matters."""

from typing import Any

import orjson

from telemetry.devices import Device
from telemetry.judge import Judged, judge
from telemetry.products import Product, product_from_dict
from telemetry.records import Record, record_headers
from telemetry.registry import Registry

NOW = 1_795_248_000_000_000
SECOND = 1_000_000
TOLERANCE = 60 * SECOND

METER: dict[str, object] = {
    "product": "meter",
    "lateness": "30 s",
    "max_age": "7 d",
    "versions": [
        {
            "version": 1,
            "metrics": {
                "kwh": {"type": "double", "unit": "kWh", "min": 0, "max": 100, "required": True},
                "open": {"type": "bool"},
                "state": {"type": "string", "values": ["idle", "busy"]},
                "temperature": {"type": "double", "min": -50, "max": 60, "sentinels": [-200]},
                "count": {"type": "int"},
            },
        }
    ],
}


def product(**changes: object) -> Product:
    """Return the meter, changed."""
    return product_from_dict({**METER, **changes})


def registry(*products: Product, devices: tuple[Device, ...] = ()) -> Registry:
    """Return a registry with the meter and `meter.d1`, if nothing else is asked for."""
    return Registry(products or (product(),), devices or (Device("meter.d1"), Device("plain")))


def record(value: bytes | None, device_full: str = "meter.d1", **changes: Any) -> Record:
    """Return a record received now."""
    headers = record_headers(device_full, received_at=NOW, protocol="mqtt")
    plain = Record("telemetry", 1, 7, NOW, device_full.encode(), value, dict(headers))
    return plain._replace(**changes)


def body(**fields: object) -> bytes:
    """Return a message of the meter."""
    return orjson.dumps({"seq": 1, "boot": "b", "metrics": {"kwh": 1.5}, **fields})


def verdict(value: bytes | None, known: Registry | None = None, **changes: Any) -> Judged:
    """Judge one message."""
    judged = judge(record(value, **changes), known or registry(), tolerance_us=TOLERANCE)
    assert len(judged) == 1
    return judged[0]


def rules(judged: Judged) -> list[tuple[str, str]]:
    """Return (field, rule) of every reason."""
    return [(reason.field, reason.rule) for reason in judged.reasons]
