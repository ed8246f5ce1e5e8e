"""Devices as text that people write: NDJSON or CSV, line by line.

A cell of CSV that a spreadsheet would take for a formula, or that begins or ends with a blank, is
written with an apostrophe before it, and read without; so is one that would be read so.
"""

import csv
import io
from collections.abc import Iterator, Mapping

import orjson

from edge.csv_cells import QUOTE, is_formula
from telemetry.devices import Device, device_from_dict, split_full_name
from telemetry.errors import DeviceError, HeadwaterError
from telemetry.products import NAME

Declaration = Mapping[str, object]
DEVICE_COLUMNS = (
    "device", "device_full", "product", "tenant", "zone", "customer", "lat", "lng", "firmware",
    "durability", "valid_from",
)  # fmt: skip


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


def declared_device(fields: Declaration, product: str | None) -> Device:
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
    return device


def cell(value: object) -> object:
    """Return a device's field as a cell of CSV; numbers are as they are."""
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
