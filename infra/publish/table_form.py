"""The form of a CSV file, guessed from its first lines: delimiter, header, decimal sign."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from detection.first_rows import commas_are_decimal, names_columns
from infra.publish.lines import LONGEST_LINE
from infra.publish.options import TableOptions
from telemetry.errors import HeadwaterError

WHITESPACE = " "
DELIMITERS = (",", ";", "\t", "|")
DELIMITER_NAMES = {"tab": "\t", "\\t": "\t", "space": WHITESPACE, "comma": ",", "semicolon": ";"}
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class TableForm:
    """How to cut a line into cells; a column without a name is '' and is left out."""

    delimiter: str
    columns: tuple[str, ...]
    has_header: bool
    decimal_comma: bool = False
    encoding: str = "utf-8"


def guess_form(lines: Sequence[str], options: TableOptions) -> TableForm:
    """Guess what the options leave open; `lines` are the first ones that are not blank."""
    delimiter = _delimiter(lines, options)
    rows = [cut(line, delimiter) for line in lines]
    first = rows[0] if rows else []
    if options.columns and first and not any(len(row) == len(options.columns) for row in rows):
        raise HeadwaterError(
            f"--columns names {len(options.columns)} columns, the first line has {len(first)}"
        )
    has_header = options.has_header
    if has_header is None:
        has_header = not options.columns and (not rows or names_columns(rows))
    names = options.columns or (
        tuple(first) if has_header else tuple(f"c{i}" for i in range(1, len(first) + 1))
    )
    body = [cell for row in rows[1:] for cell in row]
    return TableForm(
        delimiter=delimiter,
        columns=_unique(names),
        has_header=has_header,
        decimal_comma=delimiter != "," and _has_decimal_commas(body),
        encoding=options.encoding,
    )


def cut(line: str, delimiter: str) -> list[str]:
    """Cut one line into stripped cells; for guesses, so quotes may be broken."""
    if delimiter == WHITESPACE:
        return line.split()
    csv.field_size_limit(LONGEST_LINE)
    try:
        cells = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        cells = line.split(delimiter)
    return [cell.strip() for cell in cells]


def _delimiter(lines: Sequence[str], options: TableOptions) -> str:
    if options.delimiter is not None:
        delimiter = DELIMITER_NAMES.get(options.delimiter, options.delimiter)
        if len(delimiter) != 1:
            raise HeadwaterError(f"--delimiter {delimiter!r}: one character, tab or space")
        return delimiter
    best = max(DELIMITERS, key=lambda delimiter: _fit(lines, delimiter))
    if _fit(lines, best) <= (0.5, 1):
        return WHITESPACE if _fit(lines, WHITESPACE) > (0.5, 1) else ","
    return _beside_decimal_commas(lines) or best if best == "," else best


def _beside_decimal_commas(lines: Sequence[str]) -> str | None:
    """Return what parts the lines as well as the comma does, and leaves commas in numbers alone."""
    for sign in (*DELIMITERS[1:], WHITESPACE):
        is_as_good = _fit(lines, sign)[0] >= _fit(lines, ",")[0]
        if is_as_good and commas_are_decimal([cut(line, sign) for line in lines]):
            return sign
    return None


def _fit(lines: Sequence[str], delimiter: str) -> tuple[float, int]:
    """Return which part of the lines has the commonest number of cells, and that number."""
    counts = Counter(len(cut(line, delimiter)) for line in lines)
    if not counts:
        return 0.0, 1
    cells, times = counts.most_common(1)[0]
    return (times / len(lines), cells) if cells > 1 else (0.0, 1)


def _has_decimal_commas(cells: Sequence[str]) -> bool:
    with_comma = sum(1 for cell in cells if _DECIMAL_COMMA.fullmatch(cell))
    with_point = sum(1 for cell in cells if "." in cell and _NUMBER.fullmatch(cell))
    return with_comma > with_point


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    """Give a name that was there before a number, one that makes no name of another column."""
    plain = [name.strip() for name in names]
    taken, seen = set(plain), set[str]()
    found = []
    for name in plain:
        if name and name in seen:
            name = next(new for n in count(2) if (new := f"{name}_{n}") not in taken)
            taken.add(name)
        seen.add(name)
        found.append(name)
    return tuple(found)
