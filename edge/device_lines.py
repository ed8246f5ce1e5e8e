"""Devices as text that people write: NDJSON or CSV, line by line.

A cell of CSV that a spreadsheet would take for a formula, or that begins or ends with a blank, is
written with an apostrophe before it, and read without.
"""

import csv
import io
from collections.abc import Iterator, Mapping

import orjson

from edge.csv_cells import QUOTE, is_formula
from telemetry.errors import HeadwaterError

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
    _check_fields(source, 1, set(reader.fieldnames or ()))
    try:
        for row in reader:
            if None in row or None in row.values():
                raise HeadwaterError(f"{source}, line {reader.line_num}: not as wide as the header")
            yield reader.line_num, {name: _said(cell) for name, cell in row.items()}
    except csv.Error as error:
        raise HeadwaterError(f"{source}, line {reader.line_num}: {error}") from error


def cell(value: object) -> object:
    """Return a device's field as a cell of CSV; numbers are as they are."""
    return f"{QUOTE}{value}" if isinstance(value, str) and _is_quoted(value) else value


def _said(text: str) -> str:
    """Return what a cell says."""
    inner = text.removeprefix(QUOTE)
    return inner if inner != text and _is_quoted(inner) else text.strip()


def _is_quoted(text: str) -> bool:
    """Say whether a text stands behind an apostrophe."""
    return is_formula(text) or text != text.strip()


def _check_fields(source: str, number: int, names: set[str]) -> None:
    if unknown := names - set(DEVICE_COLUMNS):
        raise HeadwaterError(
            f"{source}, line {number}: unknown {', '.join(sorted(unknown))};"
            f" a device has {', '.join(DEVICE_COLUMNS)}"
        )
    if not names & {"device", "device_full"}:
        raise HeadwaterError(f"{source}, line {number}: the column or field device is missing")
