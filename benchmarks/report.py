"""One form for every benchmark's result."""

import argparse
import math
import os
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeGuard

import orjson
import psutil
from rich.console import Console
from rich.table import Table

Figures = Mapping[str, object]
LEAST_MINUTES = 1


def parser(description: str) -> argparse.ArgumentParser:
    """Return a parser with the option that every benchmark has."""
    found = argparse.ArgumentParser(description=description)
    found.add_argument("--out", type=_writable, help="write the figures here as JSON")
    return found


def _writable(text: str) -> Path:
    """Return a file that can be written: a run of an hour would else end without its figures."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a folder: name a file in it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{text} cannot be written: {error.strerror}") from error
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text} cannot be written")
    return path


def count(text: str) -> int:
    """Return a whole number from 1 on, as options are given it."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def minutes(text: str) -> float:
    """Return how long to measure: halves are compared, and windows of a minute have to end."""
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not LEAST_MINUTES <= found < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} are no minutes, {LEAST_MINUTES} at least")
    return found


def counts(text: str) -> list[int]:
    """Return whole numbers from 1 on that are given with commas."""
    return [count(each) for each in text.split(",")]


def report(name: str, figures: Figures, out: Path | None) -> None:
    """Print the figures as a table, and write them where they were asked for.

    Figures by case (a dict of dicts) are a table of their own; what has further levels is in the
    file alone.
    """
    console = Console()
    console.print(_table(name, ["value"], {each: [said] for each, said in figures.items()}))
    for group, cases in figures.items():
        if _is_by_case(cases):
            named = {each: [case.get(each) for case in cases.values()] for each in _names(cases)}
            console.print(_table(f"{name}, {group}", list(cases), named))
    if out:
        machine = {"cores": psutil.cpu_count(), "python": platform.python_version()}
        result = {"benchmark": name, "machine": machine, "figures": dict(figures)}
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2))


def _table(title: str, columns: list[str], rows: Mapping[str, list[object]]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("figure")
    for column in columns:
        table.add_column(column, justify="right")
    for name, values in rows.items():
        if not any(map(_is_deep, values)):
            table.add_row(name, *map(_shown, values))
    return table


def _shown(value: object) -> str:
    if value is None:
        return ""
    return f"{value:,.3f}" if isinstance(value, float) else str(value)


def _is_deep(value: object) -> bool:
    within = value.values() if isinstance(value, Mapping) else value
    return isinstance(within, Iterable) and any(isinstance(each, Mapping) for each in within)


def _is_by_case(value: object) -> TypeGuard[Mapping[str, Figures]]:
    if not isinstance(value, Mapping):
        return False
    return bool(value) and all(isinstance(case, Mapping) for case in value.values())


def _names(cases: Mapping[str, Figures]) -> list[str]:
    return list(dict.fromkeys(name for case in cases.values() for name in case))


def quantiles(values: list[float]) -> dict[str, float]:
    """Return p50, p95 and the greatest of values."""
    ordered = sorted(values)
    last = len(ordered) - 1
    return {
        "p50": ordered[last // 2],
        "p95": ordered[round(last * 0.95)],
        "max": ordered[-1],
    }
