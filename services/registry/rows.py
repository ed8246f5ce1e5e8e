"""Bodies of changes as rows of their tables, and back."""

from collections.abc import Mapping
from datetime import datetime
from typing import cast

import msgspec

from telemetry.changes import BODIES, Body, DeviceBody, Kind
from telemetry.devices import Device, Durability


def values(body: Body) -> dict[str, object]:
    """Return the columns of a body's row, without those that every kind has."""
    if isinstance(body, DeviceBody):
        return _device_values(body)
    named: dict[str, object] = msgspec.to_builtins(body, builtin_types=(datetime,))
    return named


def _device_values(body: DeviceBody) -> dict[str, object]:
    device = body.device
    return {
        "product": device.product,
        "zone": device.zone,
        "customer": device.customer,
        "lat": device.lat,
        "lng": device.lng,
        "firmware": device.firmware,
        "durability": device.durability,
        "is_disabled": body.is_disabled,
    }


def body(kind: Kind, row: Mapping[str, object]) -> Body:
    """Return the body of a row."""
    if kind == "device":
        return DeviceBody(_device(row), bool(row["is_disabled"]))
    fields = {name: row[name] for name in BODIES[kind].__dataclass_fields__}
    return msgspec.convert(fields, BODIES[kind])


def _device(row: Mapping[str, object]) -> Device:
    return Device(
        device_full=cast(str, row["name"]),
        tenant=cast(str, row["tenant"]),
        zone=cast(str | None, row["zone"]),
        customer=cast(str | None, row["customer"]),
        lat=cast(float | None, row["lat"]),
        lng=cast(float | None, row["lng"]),
        firmware=cast(str | None, row["firmware"]),
        durability=cast(Durability | None, row["durability"]),
    )
