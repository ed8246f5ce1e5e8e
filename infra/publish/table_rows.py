"""Rows of a CSV file: quoted cells, records over several lines, and lines that do not fit."""

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from infra.publish.lines import LONGEST_LINE, BadLine, NumberedLine
from infra.publish.rows import Lines, Row, Rows
from infra.publish.table_form import WHITESPACE, TableForm

LONGEST_RECORD_LINES = 64
"""A quoted cell that has not ended by then was never meant to span lines."""


def table_rows(lines: Lines, form: TableForm) -> Rows:
    """Read a CSV's rows behind its header; a bad line does not take its neighbours with it."""
    csv.field_size_limit(LONGEST_LINE)
    source = _Source(iter(lines), form.encoding)
    is_header = form.has_header
    while (line := source.take()) is not None:
        if isinstance(line, BadLine):
            yield line
        elif is_header:
            is_header = False
        elif (row := _row(line, source, form)) is not None:
            yield row


@dataclass(slots=True)
class _Text:
    number: int
    text: str


@dataclass(slots=True)
class _Source:
    """Decoded lines that can be put back."""

    lines: Iterator[NumberedLine | BadLine]
    encoding: str
    waiting: deque[_Text | BadLine] = field(default_factory=deque)

    def take(self, *, blank: bool = False) -> _Text | BadLine | None:
        """Return the next line, a blank one only where `blank` ones count."""
        if self.waiting:
            return self.waiting.popleft()
        for line in self.lines:
            found = line if isinstance(line, BadLine) else _decoded(line, self.encoding)
            if blank or isinstance(found, BadLine) or found.text.strip():
                return found
        return None


def _decoded(line: NumberedLine, encoding: str) -> _Text | BadLine:
    try:
        text = line.text.decode(encoding)
    except UnicodeDecodeError as error:
        return BadLine(line.number, f"not {encoding} at byte {error.start + 1} (see --encoding)")
    if line.number == 1:
        text = text.removeprefix("\ufeff")
    return _Text(line.number, text.removesuffix("\r"))


def _row(line: _Text, source: _Source, form: TableForm) -> Row | BadLine | None:
    if form.delimiter == WHITESPACE:
        cells = line.text.split()
    elif '"' not in line.text:
        cells = line.text.split(form.delimiter)
    else:
        found = _quoted(line, source, form)
        if isinstance(found, BadLine):
            return found
        cells = found
    width = len(form.columns)
    if len(cells) != width:
        if len(cells) < width or any(cell.strip() for cell in cells[width:]):
            return BadLine(line.number, f"{len(cells)} cells where the file has {width} columns")
        cells = cells[:width]
    if not any(cells) or not any(cell.strip() for cell in cells):
        return None
    return Row(line.number, b"", dict(zip(form.columns, cells, strict=True)))


def _quoted(line: _Text, source: _Source, form: TableForm) -> list[str] | BadLine:
    """Return the cells of a line with quotes; one that opens a quote may take more lines in."""
    record, taken = [line.text], list[_Text | BadLine]()
    while True:
        try:
            cells = next(csv.reader(record, delimiter=form.delimiter, strict=True))
        except csv.Error as error:
            reason = str(error)
        else:
            if not taken or len(cells) == len(form.columns):
                return cells
            reason = "a quote that opens here does not end"
        following = source.take(blank=True) if _may_go_on(reason, record) else None
        if following is not None:
            taken.append(following)
        if following is None or isinstance(following, BadLine):
            source.waiting.extendleft(reversed(taken))
            return BadLine(line.number, f"broken quotes: {reason}")
        record[-1] += "\n"
        record.append(following.text)


def _may_go_on(reason: str, record: list[str]) -> bool:
    return reason == "unexpected end of data" and len(record) < LONGEST_RECORD_LINES
