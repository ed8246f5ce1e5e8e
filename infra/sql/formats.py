"""Results as a table, as CSV or as JSON.

Times are ISO in UTC with six digits, bytes are base64, a decimal is a number, and what JSON has
no number for (NaN, the infinities) is a string.
"""

import base64
import json
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import chain
from typing import Literal, TextIO

from rich.table import Table
from trino.types import NamedRowTuple

from edge.csv_cells import guarded
from infra.console import table_console, visible
from infra.sql.result import Result

Format = Literal["table", "csv", "json"]
EMPTY = '""'


def write(result: Result, form: Format, out: TextIO) -> None:
    """Write the result in a form."""
    {"table": write_table, "csv": write_csv, "json": write_json}[form](result, out)


def write_json(result: Result, out: TextIO) -> None:
    """Write an array of objects, a row a line."""
    separator = "["
    for row in result.rows:
        named = dict(zip(result.columns, map(plain, row), strict=True))
        out.write(f"{separator}{json.dumps(named, ensure_ascii=False)}")
        separator = ",\n "
    out.write("]\n" if separator != "[" else "[]\n")


def write_csv(result: Result, out: TextIO) -> None:
    """Write a header and rows; nested values are JSON, no text is a formula.

    Null is an empty cell and an empty text `""`, as PostgreSQL has them. A null that is alone in
    its row is `""` as well: many readers pass over empty lines.
    """
    for row in chain([result.columns], result.rows):
        out.write(f"{','.join(map(_cell, row)) or EMPTY}\n")


def _cell(value: object) -> str:
    if value is None:
        return ""
    cell = guarded(value) if isinstance(value, str) else text(value, null="")
    is_plain = cell and set(cell).isdisjoint('",\r\n')
    return cell if is_plain else '"{}"'.format(cell.replace('"', '""'))


def write_table(result: Result, out: TextIO) -> None:
    """Draw a table; what is no terminal gets lines as long as they are."""
    console = table_console(out)
    table = Table()
    rows = list(result.rows)
    for index, column in enumerate(result.columns):
        is_number = all(isinstance(row[index], int | float | Decimal | None) for row in rows)
        table.add_column(column, overflow="fold", justify="right" if is_number else "left")
    for row in rows:
        table.add_row(*(visible(text(value, null="NULL")) for value in row))
    console.print(table)


def text(value: object, *, null: str) -> str:
    """Return a value as a cell."""
    value = plain(value)
    if value is None:
        return null
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def plain(value: object) -> object:
    """Return a value in the terms of JSON."""
    match value:
        case float() if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case datetime():
            return _utc(value)
        case date() | time():
            return value.isoformat()
        case bytes() | bytearray():
            return base64.b64encode(value).decode("ascii")
        case NamedRowTuple():
            return _row(value)
        case Mapping():
            return {str(plain(key)): plain(each) for key, each in value.items()}
        case list() | tuple() | set():
            return [plain(each) for each in value]
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)


def _row(value: NamedRowTuple) -> object:
    """Return a Trino row as an object, or as a list where its fields have no names."""
    names = value.__annotations__["names"]
    if None in names:
        return [plain(each) for each in value]
    return {name: plain(each) for name, each in zip(names, value, strict=True)}


def _utc(value: datetime) -> str:
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    in_utc = aware.astimezone(UTC).replace(tzinfo=None)
    return f"{in_utc.isoformat(timespec='microseconds')}Z"  # years of four digits, the first too
