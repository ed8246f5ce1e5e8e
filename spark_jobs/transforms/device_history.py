"""The history of devices (SCD 2): what a change of the registry does to it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import pyarrow as pa

from spark_jobs.schema import arrow_schema
from telemetry.devices import FIRST_VALID_FROM, SETTLES_AFTER, Device
from telemetry.tables import DEVICES

History = Mapping[tuple[str, str], Sequence[Device]]
"""(tenant, device_full) → versions by `valid_from`, the current one last."""


def changed(history: History, registered: Iterable[Device], now: datetime) -> list[Device]:
    """Return the versions that are new against the history, with their `valid_from`."""
    versions = []
    for device in registered:
        known = history.get((device.tenant, device.device_full))
        if known is None:
            versions.append(replace(device, valid_from=FIRST_VALID_FROM))
        elif _said(known[-1]) != _said(device):
            versions.append(replace(device, valid_from=_settles(device, known[-1], now)))
    return versions


def _said(device: Device) -> Device:
    return replace(device, valid_from=None, durability=None)


def _settles(device: Device, before: Device, now: datetime) -> datetime:
    """Return from when the registry says that a version holds, else from when we know of it."""
    said = device.valid_from
    return said if said and said > _from(before) else now + SETTLES_AFTER


def grown(history: History, versions: Iterable[Device]) -> dict[tuple[str, str], list[Device]]:
    """Return the history with the versions behind what it holds.

    A version that takes the place of one not yet valid drops that one.
    """
    after = {key: list(known) for key, known in history.items()}
    for version in versions:
        known = after.setdefault((version.tenant, version.device_full), [])
        known[:] = [before for before in known if _from(before) < _from(version)]
        known.append(version)
    return after


def _from(device: Device) -> datetime:
    return device.valid_from or FIRST_VALID_FROM


def history_rows(history: History) -> pa.Table:
    """Return the rows of `dim.devices`."""
    rows = [
        row(version, following)
        for versions in history.values()
        for version, following in zip(versions, [*versions[1:], None], strict=True)
    ]
    return pa.Table.from_pylist(rows, schema=arrow_schema(DEVICES))


def row(version: Device, following: Device | None) -> dict[str, object]:
    """Return one version as a row, valid until the one that follows."""
    return {
        "tenant": version.tenant,
        "device_full": version.device_full,
        "device": version.device,
        "product": version.product,
        "zone": version.zone,
        "customer": version.customer,
        "lat": version.lat,
        "lng": version.lng,
        "firmware": version.firmware,
        "valid_from": _from(version),
        "valid_to": following and _from(following),
    }


def history_of(rows: Iterable[Mapping[str, object]]) -> dict[tuple[str, str], list[Device]]:
    """Read the rows of `dim.devices`, which come by `valid_from`."""
    names = ("device_full", "tenant", "zone", "customer", "lat", "lng", "firmware", "valid_from")
    history: dict[tuple[str, str], list[Device]] = {}
    for found in rows:
        device = Device(*(found[name] for name in names))  # type: ignore[arg-type]
        history.setdefault((device.tenant, device.device_full), []).append(device)
    return history
