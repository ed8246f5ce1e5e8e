"""Devices as text that people write: NDJSON or CSV, line by line.

A cell of CSV that a spreadsheet would take for a formula, or that begins or ends with a blank, is
written with an apostrophe before it, and read without; so is one that would be read so.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import orjson

from edge.csv_cells import QUOTE, is_formula
from edge.registry_lines import DeviceKey
from telemetry.devices import Device, device_from_dict, device_to_dict, split_full_name
from telemetry.errors import DeviceError, HeadwaterError
from telemetry.products import NAME

Declaration = Mapping[str, object]
DEVICE_COLUMNS = (
    "device", "device_full", "product", "tenant", "zone", "customer", "lat", "lng", "firmware",
    "durability", "valid_from", "is_disabled",
)  # fmt: skip
_SAID: Mapping[object, bool | None] = {
    None: None, "": None, "true": True, "false": False, True: True, False: False
}  # fmt: skip


FIELDS = ("zone", "customer", "lat", "lng", "firmware", "durability")
"""What is known of a device beside its name and owner."""


class Declared(NamedTuple):
    """A device that somebody declares, and whether it is disabled; None: as it is."""

    device: Device
    is_disabled: bool | None = None
    said: frozenset[str] = frozenset(FIELDS)
    """Those of its fields that are said; the others stay as they are."""

    def over(self, before: Device) -> Device:
        """Return the device as it is from now on."""
        kept = {name: getattr(before, name) for name in FIELDS if name not in self.said}
        return replace(self.device, **kept)


def device_declarations(source: str, text: str) -> Iterator[tuple[int, Declaration]]:
    """Yield the line number and the fields of each device; `source` names the text in errors."""
    if text.lstrip().startswith("{"):
        yield from _json_lines(source, text)
    else:
        yield from _csv_lines(source, text)


def _json_lines(source: str, text: str) -> Iterator[tuple[int, Declaration]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise HeadwaterError(f"{source}, line {number}: not JSON: {error}") from error
        if not isinstance(found, dict):
            raise HeadwaterError(f"{source}, line {number}: not a JSON object")
        _check_fields(source, number, set(found))
        yield number, found


def _csv_lines(source: str, text: str) -> Iterator[tuple[int, Declaration]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        header = reader.fieldnames or ()
        _check_fields(source, 1, set(header))
        if len({*header}) < len(header):
            raise HeadwaterError(f"{source}, line 1: two columns have one name")
        for row in reader:
            if None in row or None in row.values():
                raise HeadwaterError(f"{source}, line {reader.line_num}: not as wide as the header")
            yield reader.line_num, {name: _said(cell) for name, cell in row.items()}
    except csv.Error as error:
        # `reader` itself knows only of lines that were read without a fault.
        raise HeadwaterError(f"{source}, line {reader.reader.line_num}: {error}") from error


def declared_device(fields: Declaration, product: str | None) -> Declared:
    """Return the device that somebody declares, of `product` where its name and fields say none.

    Raise `DeviceError` where they say two, or a tenant that can be none.
    """
    name = str(fields.get("device_full") or fields.get("device") or "")
    said = fields.get("product")
    if "." in name and said and split_full_name(name)[0] != str(said):
        raise DeviceError(f"device {name}: its name says another product than {said!r}")
    device = device_from_dict({**fields, "product": said or product})
    if not NAME.fullmatch(device.tenant):
        raise DeviceError(f"device {name}: {device.tenant!r} is no name of a tenant")
    said = frozenset(field for field in FIELDS if field in fields)
    return Declared(device, _is_disabled(name, fields.get("is_disabled")), said)


def _is_disabled(name: str, said: object) -> bool | None:
    text = said.lower() if isinstance(said, str) else said
    if not isinstance(text, str | bool | None) or text not in _SAID:
        raise DeviceError(f"device {name}: is_disabled {said!r} is neither true nor false")
    return _SAID[text]


def declaration(one: Declared) -> dict[str, object]:
    """Return a device as its line of NDJSON says it, null where it is said to have nothing."""
    data = device_to_dict(one.device)
    data |= {name: getattr(one.device, name) for name in FIELDS if name in one.said}
    return data if one.is_disabled is None else data | {"is_disabled": one.is_disabled}


def known(device: Device, is_disabled: bool | None = None) -> Declared:
    """Return a device with all that is known of it, and nothing said of the rest."""
    said = frozenset(name for name in FIELDS if getattr(device, name) is not None)
    return Declared(device, is_disabled, said)


def merged(declared: Iterable[Declared], before: Mapping[DeviceKey, Device]) -> list[Device]:
    """Return each device as it is from now on, by what was known and the lines in their order."""
    found: dict[DeviceKey, Device] = {}
    for one in declared:
        key = one.device.tenant, one.device.device_full
        last = found.get(key) or before.get(key)
        found[key] = one.over(last) if last else one.device
    return list(found.values())


def cell(value: object) -> object:
    """Return a device's field as a cell of CSV; numbers are as they are."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{QUOTE}{value}" if isinstance(value, str) and _is_quoted(value) else value


def _said(text: str) -> str:
    """Return what a cell says."""
    inner = text.removeprefix(QUOTE)
    return inner if inner != text and _is_quoted(inner) else text.strip()


def _is_quoted(text: str) -> bool:
    """Say whether a text stands behind an apostrophe: it would be read as another one."""
    return is_formula(text) or _said(text) != text


def _check_fields(source: str, number: int, names: set[str]) -> None:
    if unknown := names - set(DEVICE_COLUMNS):
        raise HeadwaterError(
            f"{source}, line {number}: unknown {', '.join(sorted(unknown))};"
            f" a device has {', '.join(DEVICE_COLUMNS)}"
        )
    if not names & {"device", "device_full"}:
        raise HeadwaterError(f"{source}, line {number}: the column or field device is missing")
