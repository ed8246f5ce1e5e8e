"""Devices: which ones there are, and what is known of each."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from services.registry import devices
from services.registry.served import Access, Operator, Viewer
from services.registry.store import Entry
from services.registry.tables import DEVICES
from services.registry.words import DeviceFull, Words
from telemetry.changes import DeviceBody
from telemetry.devices import Device, Durability, check_new_name

router = APIRouter(prefix="/v1/devices", tags=["devices"])


class DeviceIn(BaseModel):
    """What may be said of a device."""

    model_config = ConfigDict(extra="forbid")

    zone: Words | None = None
    customer: Words | None = None
    lat: float | None = Field(default=None, ge=-90, le=90)
    lng: float | None = Field(default=None, ge=-180, le=180)
    firmware: Words | None = None
    durability: Durability | None = Field(
        default=None,
        description="industrial (null too): acknowledged once every replica has it;"
        " consumer: once one has it, outside the promise of durability",
    )


class DeviceOut(DeviceIn):
    """A device."""

    device_full: str
    tenant: str
    product: str
    is_disabled: bool
    is_promised_durable: bool
    edition: int
    created_at: datetime
    changed_at: datetime


class DevicesOut(BaseModel):
    """A page of devices; `next` is the `after` of the following page, null on the last."""

    devices: list[DeviceOut]
    next: str | None


class Filters(BaseModel):
    """Which devices are wanted."""

    model_config = ConfigDict(extra="forbid")

    tenant: Words | None = None
    product: Words | None = None
    zone: Words | None = None
    customer: Words | None = None
    firmware: Words | None = None
    after: Words = ""
    limit: int = Field(default=100, ge=1, le=1000)


@router.get("")
def list_devices(filters: Annotated[Filters, Query()], access: Viewer) -> DevicesOut:
    """List devices by name, a page at a time."""
    named = {name: getattr(filters, name) for name in ("product", "zone", "customer", "firmware")}
    conditions = [DEVICES.c[name] == value for name, value in named.items() if value is not None]
    behind = (DEVICES.c.tenant == access.tenant, DEVICES.c.name > filters.after)
    with access.registry.store.reading() as reading:
        found = reading.entries("device", *behind, *conditions, limit=filters.limit + 1)
    page = found[: filters.limit]
    following = page[-1].key.name if len(found) > len(page) else None
    return DevicesOut(devices=[device_out(one) for one in page], next=following)


@router.get("/{device_full}")
def show_device(device_full: DeviceFull, access: Viewer) -> DeviceOut:
    """Show one device."""
    return device_out(access.entry("device", device_full))


@router.put("/{device_full}")
def put_device(device_full: DeviceFull, wanted: DeviceIn, access: Operator) -> DeviceOut:
    """Enrol a device, or say anew all that is known of it."""
    device = _changed(Device(check_new_name(device_full), access.tenant), wanted.model_dump())
    with access.writing() as writing:
        found = device_out(devices.put(writing, device))
    access.registry.wake()
    return found


@router.patch("/{device_full}")
def patch_device(device_full: DeviceFull, wanted: DeviceIn, access: Operator) -> DeviceOut:
    """Change what is given here."""
    said = wanted.model_dump(exclude_unset=True)
    with access.writing() as writing:
        # Read by whoever writes: what somebody else changes at the same time must stay.
        known = devices.the_device(writing, access.tenant, device_full)
        assert isinstance(known.body, DeviceBody)
        found = device_out(devices.put(writing, _changed(known.body.device, said)))
    access.registry.wake()
    return found


def _changed(device: Device, said: Mapping[str, object]) -> Device:
    known = {name: None if value == "" else value for name, value in said.items()}
    return replace(device, **known)  # type: ignore[arg-type]


@router.post("/{device_full}/disable")
def disable_device(device_full: DeviceFull, access: Operator) -> DeviceOut:
    """Let the device connect no more; what it proves itself with stays."""
    return _set_disabled(access, device_full, True)


@router.post("/{device_full}/enable")
def enable_device(device_full: DeviceFull, access: Operator) -> DeviceOut:
    """Let the device connect again."""
    return _set_disabled(access, device_full, False)


@router.post("/{device_full}/revoke")
def revoke_device(device_full: DeviceFull, access: Operator) -> DeviceOut:
    """Disable the device, and revoke its secrets and certificates for good."""
    with access.writing() as writing:
        found = device_out(devices.revoke(writing, access.tenant, device_full))
    access.registry.wake()
    return found


def _set_disabled(access: Access, device_full: str, is_disabled: bool) -> DeviceOut:
    with access.writing() as writing:
        found = devices.set_disabled(writing, access.tenant, device_full, is_disabled)
        out = device_out(found)
    access.registry.wake()
    return out


def device_out(found: Entry) -> DeviceOut:
    """Return a device as it is answered."""
    assert isinstance(found.body, DeviceBody)
    device = found.body.device
    return DeviceOut(
        device_full=device.device_full,
        tenant=device.tenant,
        product=device.product,
        is_disabled=found.body.is_disabled,
        is_promised_durable=device.durability != "consumer",
        edition=found.edition,
        created_at=found.created_at,
        changed_at=found.changed_at,
        **{name: getattr(device, name) for name in DeviceIn.model_fields},
    )
