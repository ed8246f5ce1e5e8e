"""Devices by the thousand: text to devices, devices into the store group by group, and out."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice

import orjson
from pydantic import TypeAdapter, ValidationError

from edge.device_lines import (
    DEVICE_COLUMNS,
    Declared,
    cell,
    declaration,
    declared_device,
    device_declarations,
    known,
    merged,
)
from services.problems import Fault, Problem, not_found
from services.registry import credentials, devices
from services.registry.products import has_product
from services.registry.served import Access
from services.registry.store import Reading
from services.registry.tables import DEVICES
from services.registry.words import Words
from telemetry.changes import DeviceBody
from telemetry.devices import Device, check_new_name
from telemetry.errors import DeviceError, HeadwaterError

GROUP = 2_000
MOST_FAULTS = 20
_WORDS: TypeAdapter[str] = TypeAdapter(Words)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What became of a group: how many were new or changed, and new secrets."""

    written: int
    issued: Sequence[credentials.Issued]


@dataclass(frozen=True, slots=True)
class DeviceText:
    """Devices as a text declares them; read anew each time, since they may be very many."""

    text: str
    tenant: str
    product: str | None

    def checked(self) -> tuple[int, set[str]]:
        """Count the devices and name their products; answer which lines are wrong, and why."""
        count, products = 0, set()
        faults: list[Fault] = []
        try:
            for number, fields in device_declarations("body", self.text):
                try:
                    products.add(self._device(fields).device.product)
                    count += 1
                except DeviceError as error:
                    faults.append(Fault(where=f"line {number}", reason=str(error)))
                if len(faults) == MOST_FAULTS:
                    break
        except HeadwaterError as error:
            faults.append(Fault(where="body", reason=str(error)))
        if faults:
            first = f"{faults[0].where}: {faults[0].reason}"
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, first, errors=faults)
        return count, products

    def groups(self) -> Iterator[list[Declared]]:
        """Yield the devices, group by group."""
        said = device_declarations("body", self.text)
        devices = (self._device(fields) for _, fields in said)
        while group := list(islice(devices, GROUP)):
            yield group

    def _device(self, fields: Mapping[str, object]) -> Declared:
        owned = {**fields, "tenant": fields.get("tenant") or self.tenant}
        found = declared_device(owned, self.product)
        device = found.device
        check_new_name(device.device_full)
        if device.tenant != self.tenant:
            owner = f"is of tenant {device.tenant}, not {self.tenant}"
            raise DeviceError(f"device {device.device_full} {owner}")
        for name in ("zone", "customer", "firmware"):
            _check_words(device, name, fields.get(name))
        return found


def _check_words(device: Device, name: str, said: object) -> None:
    """Raise for a text that would be refused of one device, too."""
    if isinstance(said, bool | list | dict):
        raise DeviceError(f"device {device.device_full}: {name} is no text")
    try:
        _WORDS.validate_python(getattr(device, name) or "")
    except ValidationError as error:
        why = error.errors()[0]["msg"]
        raise DeviceError(f"device {device.device_full}: {name}: {why}") from error


def check_tenant(reading: Reading, tenant: str) -> None:
    """Answer that a tenant is not there."""
    if reading.get("tenant", tenant, tenant) is None:
        raise not_found("tenant", tenant)


def check_owners(reading: Reading, declared: DeviceText) -> None:
    """Answer which name proves itself in another tenant, so that it can get no secret here."""
    for group in declared.groups():
        wanted = [credentials.Wanted(one.device.tenant, one.device.device_full) for one in group]
        credentials.check_owners(reading, wanted)


def check_products(reading: Reading, tenant: str, products: Iterable[str]) -> None:
    """Answer which products are not there."""
    missing = [one for one in sorted(products) if not has_product(reading, tenant, one)]
    if missing:
        faults = [Fault(where="product", reason=f"there is no product {p!r}") for p in missing]
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, faults[0].reason, errors=faults)


def enrol_group(access: Access, group: Sequence[Declared], *, with_secrets: bool) -> Enrolled:
    """Enrol devices in one transaction; issue secrets to those that have none, if asked for."""
    registry = access.registry
    flags = [(one.device.device_full, one.is_disabled) for one in group]
    disabled = {name: flag for name, flag in flags if flag is not None}
    with access.writing() as writing:
        named = merged(group, devices.known(writing, [one.device for one in group]))
        written = devices.enrol(writing, named, disabled=disabled)
        without = devices.without_secret(writing, named) if with_secrets else []
        wanted = [credentials.Wanted(one.tenant, one.device_full) for one in without]
        issued = credentials.issue_all(writing, registry.ring, wanted)
    registry.wake()
    return Enrolled(len(written), issued)


def pages(access: Access) -> Iterator[list[Declared]]:
    """Yield all devices of the tenant by name, a page at a time."""
    after = ""
    while True:
        behind = (DEVICES.c.tenant == access.tenant, DEVICES.c.name > after)
        with access.registry.store.reading() as reading:
            found = reading.entries("device", *behind, limit=GROUP)
        if not found:
            return
        bodies = [entry.body for entry in found if isinstance(entry.body, DeviceBody)]
        yield [known(body.device, body.is_disabled or None) for body in bodies]
        after = found[-1].key.name


def as_lines(found: Sequence[Declared]) -> bytes:
    """Return devices as NDJSON."""
    return b"".join(orjson.dumps(declaration(one)) + b"\n" for one in found)


CSV_COLUMNS = [name for name in DEVICE_COLUMNS if name not in ("device", "product", "valid_from")]


def as_rows(found: Sequence[Declared], *, with_header: bool = False) -> bytes:
    """Return devices as CSV."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, CSV_COLUMNS, lineterminator="\n")
    if with_header:
        writer.writeheader()
    rows = (declaration(one).items() for one in found)
    writer.writerows({name: cell(value) for name, value in row} for row in rows)
    return text.getvalue().encode()
