"""The history of devices (SCD 2): what a change of the registry does to it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from spark_jobs.schema import TIMESTAMP, arrow_schema
from spark_jobs.transforms.words import split_names
from telemetry.devices import FIRST_VALID_FROM, SETTLES_AFTER, Device
from telemetry.tables import DEVICES

CLOCKS_DIFFER = timedelta(days=1)
"""How far before the newest version a change may be that is not known; what a device's own history
knows is left out by itself."""
History = Mapping[tuple[str, str], Sequence[Device]]
"""(tenant, device_full) → versions by `valid_from`, the current one last."""


def unheard_since(newest: datetime | None) -> datetime:
    """Return from when on changes may be new to a history whose newest version this is."""
    return newest - CLOCKS_DIFFER if newest else FIRST_VALID_FROM


def changed(
    history: History, registered: Iterable[Device], now: datetime, passed: Iterable[Device] = ()
) -> list[Device]:
    """Return the versions that are new against the history, with their `valid_from`.

    `passed` is what was registered before, in its order, of devices that changed more than once.
    """
    between = _between(history, passed)
    versions: list[Device] = []
    for device in registered:
        key = device.tenant, device.device_full
        known = history.get(key)
        before = known[-1] if known else None
        if before is not None and _is_heard(before, device):
            continue
        said = {**between.get(key, {}), device.valid_from: device}
        for each in said.values():
            if before is None or _said(before) != _said(each):
                before = replace(each, valid_from=_begins(each, before, now))
                versions.append(before)
    return versions


def _between(
    history: History, passed: Iterable[Device]
) -> dict[tuple[str, str], dict[datetime | None, Device]]:
    """Return what the history does not know of; of what holds from one moment on, the last.

    What was said before something that is known is known too, whatever its time: the registry's
    clock may have been set back.
    """
    between: dict[tuple[str, str], dict[datetime | None, Device]] = {}
    for device in passed:
        key, begins = (device.tenant, device.device_full), _from(device)
        known = history.get(key)
        if known and _is_heard(known[-1], device):
            between.pop(key, None)
        elif not known or begins > _from(known[-1]):
            between.setdefault(key, {})[begins] = device
    return between


def _is_heard(newest: Device, said: Device) -> bool:
    return _from(newest) == _from(said) and _said(newest) == _said(said)


def _begins(device: Device, before: Device | None, now: datetime) -> datetime:
    return _settles(device, before, now) if before else FIRST_VALID_FROM


def _said(device: Device) -> Device:
    return replace(device, valid_from=None, durability=None)


def _settles(device: Device, before: Device, now: datetime) -> datetime:
    """Return from when the registry says that a version holds, else from when we know of it."""
    said = device.valid_from
    return said if said and said > _from(before) else now + SETTLES_AFTER


def grown(history: History, versions: Iterable[Device]) -> History:
    """Return the history with the versions behind what it holds.

    A version that takes the place of one not yet valid drops that one.
    """
    after = dict(history)
    for version in versions:
        key = version.tenant, version.device_full
        known = [before for before in after.get(key, ()) if _from(before) < _from(version)]
        after[key] = [*known, version]
    return after


def _from(device: Device) -> datetime:
    return device.valid_from or FIRST_VALID_FROM


def history_rows(versions: pa.Table) -> pa.Table:
    """Return the rows of `dim.devices`, each valid until the next one of its device.

    `versions` are those of a `Fleet`.
    """
    product, device = split_names(versions["device_full"].combine_chunks())
    # Of a null and a time, this takes the time.
    said = versions["valid_from"].combine_chunks().cast(pa.int64())
    first = pa.scalar(FIRST_VALID_FROM, TIMESTAMP).cast(pa.int64())
    start = pc.max_element_wise(said, first).cast(TIMESTAMP)
    following = pa.concat_arrays([start[1:], pa.nulls(1, TIMESTAMP)])[: len(start)]
    keys = [versions[name].combine_chunks() for name in ("tenant", "device_full")]
    same = [pc.equal(key[1:], key[:-1]) for key in keys]
    is_followed = pa.concat_arrays([pc.and_(*same), pa.array([False])])[: len(start)]
    found = {name: versions[name] for name in versions.column_names} | {
        "device": device,
        "product": product,
        "valid_from": start,
        "valid_to": pc.if_else(is_followed, following, pa.scalar(None, TIMESTAMP)),
    }
    schema = arrow_schema(DEVICES)
    return pa.table([found[name] for name in schema.names], names=schema.names).cast(schema)


def history_of(rows: Iterable[Mapping[str, object]]) -> dict[tuple[str, str], list[Device]]:
    """Read the rows of `dim.devices`, which come by `valid_from`."""
    names = ("device_full", "tenant", "zone", "customer", "lat", "lng", "firmware", "valid_from")
    history: dict[tuple[str, str], list[Device]] = {}
    for found in rows:
        device = Device(*(found[name] for name in names))  # type: ignore[arg-type]
        history.setdefault((device.tenant, device.device_full), []).append(device)
    return history
