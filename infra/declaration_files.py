"""Products and devices as files that people write: JSON, YAML, NDJSON or CSV."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path

import orjson

from telemetry.errors import HeadwaterError

Declaration = Mapping[str, object]
DEVICE_COLUMNS = (
    "device", "device_full", "product", "tenant", "zone", "customer", "lat", "lng", "firmware",
    "valid_from",
)  # fmt: skip


def product_declarations(path: Path) -> list[Declaration]:
    """Read one product, or a list of them."""
    text = path.read_text("utf-8")
    try:
        found = _yaml(text) if path.suffix in (".yaml", ".yml") else json.loads(text)
    except ValueError as error:
        raise HeadwaterError(f"{path}: {' '.join(str(error).split())}") from error
    items: list[Declaration] = found if isinstance(found, list) else [found]
    if not items or not all(isinstance(item, dict) for item in items):
        raise HeadwaterError(f'{path}: a product is an object, {{"product": …}}, or a list of them')
    return items


def _yaml(text: str) -> Declaration | list[Declaration]:
    yaml = import_module("yaml")
    try:
        found: Declaration | list[Declaration] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(error) from error
    return found


def device_declarations(path: Path) -> Iterator[tuple[int, Declaration]]:
    """Yield the line number and the fields of each device of an NDJSON or CSV file."""
    text = path.read_text("utf-8-sig")
    if text.lstrip().startswith("{"):
        yield from _json_lines(path, text)
    else:
        yield from _csv_lines(path, text)


def _json_lines(path: Path, text: str) -> Iterator[tuple[int, Declaration]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise HeadwaterError(f"{path}, line {number}: not JSON: {error}") from error
        if not isinstance(found, dict):
            raise HeadwaterError(f"{path}, line {number}: not a JSON object")
        _check_fields(path, number, set(found))
        yield number, found


def _csv_lines(path: Path, text: str) -> Iterator[tuple[int, Declaration]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    _check_fields(path, 1, set(reader.fieldnames or ()))
    try:
        for row in reader:
            if None in row or None in row.values():
                raise HeadwaterError(f"{path}, line {reader.line_num}: not as wide as the header")
            yield reader.line_num, {name: cell.strip() for name, cell in row.items()}
    except csv.Error as error:
        raise HeadwaterError(f"{path}, line {reader.line_num}: {error}") from error


def _check_fields(path: Path, number: int, names: set[str]) -> None:
    if unknown := names - set(DEVICE_COLUMNS):
        raise HeadwaterError(
            f"{path}, line {number}: unknown {', '.join(sorted(unknown))};"
            f" a device has {', '.join(DEVICE_COLUMNS)}"
        )
    if not names & {"device", "device_full"}:
        raise HeadwaterError(f"{path}, line {number}: the column or field device is missing")
