"""What the first rows of a table say of it: whether they name columns, what their commas are."""

import re
from collections.abc import Sequence

Cells = Sequence[str]
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
_TIME = re.compile(r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}([ T].*)?|\d{1,2}:\d{2}.*")
_DECIMAL = re.compile(r"[+-]?\d*,\d+")
_NO_VALUE = frozenset({"", "na", "n/a", "nan", "null", "none", "-", "?", "inf", "-inf"})
_NAMES = frozenset({
    "time", "timestamp", "datetime", "date", "ts", "device", "device_id", "id", "label",
    "anomaly", "changepoint",
})  # fmt: skip


def names_columns(rows: Sequence[Cells]) -> bool:
    """Return whether the first row is a header.

    It is one where it has a word above numbers or times, and where nothing in it is a number or
    a time.
    """
    first, below = rows[0], rows[1:]
    for place, cell in enumerate(first):
        if cell.strip().lower() in _NAMES:
            return True
        if _is_word(cell):
            cells = [row[place] for row in below if place < len(row)]
            values, words = sum(map(_is_value, cells)), sum(map(_is_word, cells))
            if values > words:
                return True
    return not any(map(_is_value, first))


def _is_value(cell: str) -> bool:
    text = cell.strip()
    return bool(_NUMBER.fullmatch(text) or _TIME.fullmatch(text))


def _is_word(cell: str) -> bool:
    return cell.strip().lower() not in _NO_VALUE and not _is_value(cell)


def commas_are_decimal(rows: Sequence[Cells]) -> bool:
    """Return whether each comma in the rows below the first stands in a number."""
    cells = [cell.strip() for row in (rows[1:] or rows) for cell in row if "," in cell]
    return bool(cells) and all(_DECIMAL.fullmatch(cell) for cell in cells)
