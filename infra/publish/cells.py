"""Cells as metric values: what type a column has, and how one of its cells is read."""

import math
from collections.abc import Callable, Iterable

from infra.publish.rows import Cell
from telemetry.products import MetricType

Value = float | str | bool
ReadCell = Callable[[Cell], Value | None]
"""Returns None for an empty cell; raises `ValueError` that says why a cell does not fit."""

_WORDS = {"true": True, "false": False}
_SWITCHES = {**_WORDS, "1": True, "0": False}
_MISSING_LIKE = {"na", "n/a", "nan", "null", "none", "-", "?", "inf", "-inf"}


def guess_type(cells: Iterable[Cell], *, decimal_comma: bool = False) -> MetricType:
    """Return what at least half of the cells are, numbers first; empty ones do not vote."""
    votes = [_vote(cell, decimal_comma) for cell in cells]
    cast = [vote for vote in votes if vote is not None]
    for kind in ("double", "bool"):
        if cast and cast.count(kind) * 2 >= len(cast):
            return "double" if kind == "double" else "bool"
    return "string" if cast else "double"


def _vote(cell: Cell, decimal_comma: bool) -> str | None:
    if isinstance(cell, bool):
        return "bool"
    if isinstance(cell, int | float):
        return "double"
    text = "" if cell is None else str(cell).strip()
    if not text or text.lower() in _MISSING_LIKE:
        return None
    if text.lower() in _WORDS:
        return "bool"
    return "string" if number(text, decimal_comma=decimal_comma) is None else "double"


def number(text: str, *, decimal_comma: bool = False) -> float | None:
    """Return a finite number, or None; `1_000`, which Python would take, is none."""
    if decimal_comma:
        text = text.replace(",", ".")
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) and "_" not in text else None


def cell_reader(
    kind: MetricType, *, missing: Iterable[str] = (), decimal_comma: bool = False
) -> ReadCell:
    """Return how to read the cells of a column of this type."""
    convert = {
        "double": _double(decimal_comma),
        "int": _double(decimal_comma),
        "bool": _bool,
        "string": _string,
    }[kind]
    empty = {"", *missing}

    def read(cell: Cell) -> Value | None:
        if cell is None or (isinstance(cell, str) and cell.strip() in empty):
            return None
        return convert(cell)

    return read


def _double(decimal_comma: bool) -> Callable[[Cell], Value]:
    def read(cell: Cell) -> Value:
        if isinstance(cell, str):
            found = number(cell, decimal_comma=decimal_comma)
            if found is not None:
                return found
        elif isinstance(cell, int | float) and not isinstance(cell, bool):
            return cell
        hint = " (--missing takes it as empty)" if str(cell).lower() in _MISSING_LIKE else ""
        raise ValueError(f"{str(cell)[:40]!r} is no number{hint}")

    return read


def _bool(cell: Cell) -> Value:
    found = _SWITCHES.get(str(cell).strip().lower())
    if found is None:
        raise ValueError(f"{str(cell)[:40]!r} is neither true nor false")
    return found


def _string(cell: Cell) -> Value:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, dict | list):
        raise ValueError("a list or an object is no metric")
    return str(cell).lower() if isinstance(cell, bool) else str(cell)
