"""Rows: what a line holds, by column name, whatever the file's form."""

import codecs
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import orjson

from infra.publish.lines import BadLine, NumberedLine

Cell = object
"""Text in a CSV; any JSON value in NDJSON."""


class Row(NamedTuple):
    """A line's number, its bytes and its cells."""

    number: int
    text: bytes
    cells: Mapping[str, Cell]


Lines = Iterable[NumberedLine | BadLine]
Rows = Iterator[Row | BadLine]


def json_rows(lines: Lines) -> Rows:
    """Read NDJSON: an object a line; blank lines are passed over."""
    for line in lines:
        if isinstance(line, BadLine):
            yield line
        elif line.text.strip():
            yield _json_row(line)


def _json_row(line: NumberedLine) -> Row | BadLine:
    text = line.text.removeprefix(codecs.BOM_UTF8) if line.number == 1 else line.text
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return BadLine(line.number, f"not JSON: {error}")
    if not isinstance(found, dict):
        return BadLine(line.number, "not a JSON object")
    return Row(line.number, text, found)


def is_message(cells: Mapping[str, Cell]) -> bool:
    """Return whether a JSON object is already a message: it has an object of metrics."""
    return "metrics" in cells


def flat(cells: Mapping[str, Cell]) -> Mapping[str, Cell]:
    """Return nested objects as dotted names, `{"a": {"b": 1}}` as `{"a.b": 1}`."""
    if not any(isinstance(value, dict) for value in cells.values()):
        return cells
    found: dict[str, Cell] = {}
    for name, value in cells.items():
        if isinstance(value, dict):
            found |= {f"{name}.{inner}": cell for inner, cell in flat(value).items()}
        else:
            found[name] = value
    return found
