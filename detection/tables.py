"""Files of readings as columns of numbers: any delimiter, any damage, a batch at a time."""

import csv
import gzip
import re
import sys
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import chain, count, islice
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from detection.first_rows import commas_are_decimal, names_columns
from telemetry.errors import HeadwaterError

DELIMITERS = ",;\t|"
GUESSED_FROM = 1000
LONGEST_CELL_LINES = 64
"""A quote that has not ended by then was never meant to span lines."""
_QUOTED = re.compile(r'"[^"]*"')
_GZIP = b"\x1f\x8b"
Cells = list[str]


@dataclass(frozen=True, slots=True)
class Form:
    """How a file is written; no delimiter means any white space."""

    delimiter: str | None
    columns: tuple[str, ...]
    has_header: bool


def form_of(path: Path) -> Form:
    """Guess the delimiter and the header from the first lines."""
    with _opened(path) as file:
        lines = [line for line in islice(file, 50) if line.strip()]
    if not lines:
        raise HeadwaterError(f"{path} is empty: name a file with a header and rows")
    if sum("\0" in line for line in lines) > len(lines) // 2:
        raise HeadwaterError(f"{path} is no text: give a CSV in UTF-8")
    found = _delimiter(lines)
    rows = [row for row in _rows(iter(lines), found) if row]
    first, has_header = rows[0], names_columns(rows)
    names = first if has_header else [f"c{place}" for place in range(1, len(first) + 1)]
    return Form(found, tuple(_apart(name.strip() for name in names)), has_header)


def _delimiter(lines: Sequence[str]) -> str | None:
    best = max(DELIMITERS, key=lambda sign: _agreement(lines, sign))
    if not _agreement(lines, best):
        return "," if len(lines[0].split()) == 1 else None
    for sign in DELIMITERS[1:] if best == "," else ():
        if _agreement(lines, sign) and commas_are_decimal(list(_rows(iter(lines), sign))):
            return sign
    return best


def _apart(names: Iterable[str]) -> Iterator[str]:
    """Yield names; one that was there before gets a number, so that each column has its own."""
    given = list(names)
    taken, seen = set(given), set[str]()
    for name in given:
        if name in seen:
            name = next(new for n in count(2) if (new := f"{name}.{n}") not in taken)
            taken.add(name)
        seen.add(name)
        yield name


def _agreement(lines: Sequence[str], sign: str) -> int:
    """Return how often the sign stands in each line, if nearly all lines agree on it.

    What stands between quotes parts nothing.
    """
    counts = [_QUOTED.sub("", line).count(sign) for line in lines]
    usual = counts[0]
    return usual if sum(count >= usual for count in counts) > 0.8 * len(counts) else 0


def rows_of(path: Path, form: Form) -> Iterator[Cells]:
    """Yield the rows below the header; an empty line is an empty row, unless nothing follows."""
    with _opened(path) as file:
        rows = _rows(file, form.delimiter)
        if form.has_header:
            next((row for row in rows if row), None)
        empty = 0
        for row in rows:
            if not row:
                empty += 1
                continue
            for _ in range(empty):
                yield []
            empty = 0
            yield row


def batches(rows: Iterator[Cells], size: int) -> Iterator[list[Cells]]:
    """Cut rows into lists of `size`."""
    while found := list(islice(rows, size)):
        yield found


def numbers(rows: Sequence[Cells], place: int) -> NDArray[np.float64]:
    """Return a column as numbers; what is none, or not finite, is NaN."""
    found = np.array([number(row[place]) if place < len(row) else None for row in rows], float)
    found[~(np.abs(found) <= MOST)] = np.nan
    return found


MOST = 1e100
"""Greater values are no readings; their squares would not fit a double."""


def number(cell: str) -> float | None:
    """Return the cell as a number, with a comma for the point if need be, or None."""
    try:
        return float(cell)
    except ValueError:
        pass
    try:
        return float(cell.replace(",", ".")) if cell.count(",") == 1 else None
    except ValueError:
        return None


def numeric_columns(path: Path, form: Form) -> list[str]:
    """Name the columns of whose first filled cells most are numbers; all, if there are no rows."""
    filled = [list[bool]() for _ in form.columns]
    rows = 0
    for rows, row in enumerate(rows_of(path, form), 1):
        for seen, cell in zip(filled, row, strict=False):
            if len(seen) < GUESSED_FROM and cell.strip():
                seen.append(number(cell) is not None)
        # A sensor may be silent at first.
        if rows >= GUESSED_FROM and all(filled):
            break
    return [
        name
        for name, seen in zip(form.columns, filled, strict=True)
        if not rows or 2 * sum(seen) > len(seen)
    ]


def _rows(lines: Iterator[str], delimiter: str | None) -> Iterator[Cells]:
    if delimiter is None:
        return (line.split() for line in lines)
    return csv.reader(_closed(_without_nulls(lines)), delimiter=delimiter)


def _without_nulls(lines: Iterator[str]) -> Iterator[str]:
    return (line.replace("\0", "") if "\0" in line else line for line in lines)


def _closed(lines: Iterator[str]) -> Iterator[str]:
    """Yield lines, those without their quotes where one that does not end would take the rest."""
    ahead = deque[str]()
    while (line := ahead.popleft() if ahead else next(lines, None)) is not None:
        if line.count('"') % 2:
            ahead.extend(islice(lines, LONGEST_CELL_LINES - len(ahead)))
            end = next((n for n, other in enumerate(ahead, 1) if other.count('"') % 2), None)
            if end is None:
                line = line.replace('"', "")
            for _ in range(end or 0):
                yield line
                line = ahead.popleft()
        yield line


@contextmanager
def _opened(path: Path) -> Iterator[TextIOWrapper]:
    if path.is_fifo():
        raise HeadwaterError(f"{path} is a pipe, and is read more than once: save it to a file")
    csv.field_size_limit(sys.maxsize)
    with ExitStack() as opened:
        raw: IO[bytes] = opened.enter_context(path.open("rb"))
        is_packed = raw.read(2) == _GZIP
        raw.seek(0)
        if is_packed:
            raw = opened.enter_context(gzip.open(raw))  # type: ignore[arg-type]
        text = TextIOWrapper(raw, "utf-8-sig", errors="replace", newline="")
        try:
            yield opened.enter_context(text)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise HeadwaterError(f"{path} is a damaged gzip: {error}") from error


def all_rows(paths: Sequence[Path], form: Form) -> Iterator[Cells]:
    """Yield the rows of one file after another."""
    return chain.from_iterable(rows_of(path, form) for path in paths)
