"""The history of devices (SCD 2): what a change of the registry does to it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from spark_jobs.schema import TIMESTAMP, arrow_schema
from spark_jobs.transforms.words import split_names
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
