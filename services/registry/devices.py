"""Devices in the store: enrolled one by one or by the thousand, disabled and enabled."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Literal, cast

from sqlalchemy import func, select

from services.problems import not_found
from services.registry.products import has_product
from services.registry.store import GROUP, Entry, Reading, Writing
from services.registry.tables import KIND_TABLES
from telemetry.changes import ChangeKey, CredentialBody, DeviceBody
from telemetry.devices import Device, Durability


def put(writing: Writing, device: Device) -> Entry:
    """Enrol a device, or change it; what it is disabled for stays."""
    if writing.get("tenant", device.tenant, device.tenant) is None:
        raise not_found("tenant", device.tenant)
    if not has_product(writing, device.tenant, device.product):
        raise not_found("product", device.product)
    enrol(writing, [device])
    return the_device(writing, device.tenant, device.device_full)


def enrol(
    writing: Writing,
    devices: Sequence[Device],
    *,
    keep_known: bool = False,
    disabled: Mapping[str, bool] = MappingProxyType({}),
) -> list[Device]:
    """Put devices in force that are new or changed (only new ones if `keep_known`).

    `disabled` says of some, by full name, whether they may connect; the others stay as they are.
    """
    newest = {_key(device): replace(device, valid_from=None) for device in devices}
    known = writing.known("device", newest)
    added: list[DeviceBody] = []
    changed: list[DeviceBody] = []
    for key, device in newest.items():
        before = known.get(key)
        if before is None:
            added.append(DeviceBody(device, disabled.get(key.name, False)))
            continue
        assert isinstance(before.body, DeviceBody)
        body = DeviceBody(device, disabled.get(key.name, before.body.is_disabled))
        if not keep_known and before.body != body:
            changed.append(body)
    writing.put_all([_named(body) for body in added], "add")
    writing.put_all([_named(body) for body in changed], "change")
    return [body.device for body in (*added, *changed)]


def known(reading: Reading, devices: Sequence[Device]) -> dict[tuple[str, str], Device]:
    """Return what is known of devices, by tenant and name."""
    found = reading.known("device", map(_key, devices))
    return {
        (key.tenant, key.name): cast(DeviceBody, entry.body).device for key, entry in found.items()
    }


def _key(device: Device) -> ChangeKey:
    return ChangeKey("device", device.tenant, device.device_full)


def _named(body: DeviceBody) -> tuple[str, str, DeviceBody]:
    return body.device.tenant, body.device.device_full, body


def the_device(reading: Reading, tenant: str, device_full: str) -> Entry:
    """Return a device, or answer that it is not there."""
    found = reading.get("device", tenant, device_full)
    if found is None:
        raise not_found("device", device_full)
    return found


def devices_of_class(reading: Reading, durability: Durability) -> int:
    """Count the devices of all tenants that are said to be of a class."""
    table = KIND_TABLES["device"]
    counted = select(func.count()).select_from(table).where(table.c.durability == durability)
    in_force = counted.where(table.c.revoked_at.is_(None))
    return int(reading.connection.execute(in_force).scalar_one())


def set_disabled(writing: Writing, tenant: str, device_full: str, is_disabled: bool) -> Entry:
    """Let a device connect no more, or again."""
    found = the_device(writing, tenant, device_full)
    assert isinstance(found.body, DeviceBody)
    if found.body.is_disabled != is_disabled:
        body = replace(found.body, is_disabled=is_disabled)
        writing.put(tenant, device_full, body, "disable" if is_disabled else "enable")
    return the_device(writing, tenant, device_full)


def revoke(writing: Writing, tenant: str, device_full: str) -> Entry:
    """Disable a device, and take its secrets and certificates out of force for good."""
    found = set_disabled(writing, tenant, device_full, True)
    held = [*of_device(writing, "credential", tenant, device_full)]
    held += of_device(writing, "certificate", tenant, device_full)
    writing.revoke([entry.key for entry in held], "revoke")
    return found


def of_device(
    reading: Reading,
    kind: Literal["credential", "certificate"],
    tenant: str,
    device_full: str,
    *,
    with_revoked: bool = False,
) -> list[Entry]:
    """Return what a device proves with who it is."""
    table = KIND_TABLES[kind]
    mine = (table.c.tenant == tenant, table.c.device_full == device_full)
    return reading.entries(kind, *mine, with_revoked=with_revoked)


def without_secret(reading: Reading, devices: Sequence[Device]) -> list[Device]:
    """Return those devices, once each, that may connect and have no secret in force."""
    known = reading.known("device", map(_key, devices))
    shut = {key for key, entry in known.items() if cast(DeviceBody, entry.body).is_disabled}
    table = KIND_TABLES["credential"]
    names = {device.device_full: device for device in devices if _key(device) not in shut}
    full_names = list(names)
    for start in range(0, len(full_names), GROUP):
        wanted = table.c.device_full.in_(full_names[start : start + GROUP])
        for entry in reading.entries("credential", wanted):
            assert isinstance(entry.body, CredentialBody)
            device = names.get(entry.body.device_full)
            if device and device.tenant == entry.key.tenant:
                del names[device.device_full]
    return list(names.values())
