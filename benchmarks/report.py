"""One form for every benchmark's result."""

import argparse
import platform
from collections.abc import Mapping
from pathlib import Path

import orjson
import psutil
from rich.console import Console
from rich.table import Table

Figures = Mapping[str, object]


def parser(description: str) -> argparse.ArgumentParser:
    """Return a parser with the option that every benchmark has."""
    found = argparse.ArgumentParser(description=description)
    found.add_argument("--out", type=Path, help="write the figures here as JSON")
    return found


def report(name: str, figures: Figures, out: Path | None) -> None:
    """Print the figures as a table, and write them where they were asked for."""
    table = Table(title=name, title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    for figure, value in figures.items():
        table.add_row(figure, f"{value:,.3f}" if isinstance(value, float) else str(value))
    Console().print(table)
    if out:
        machine = {"cores": psutil.cpu_count(), "python": platform.python_version()}
        result = {"benchmark": name, "machine": machine, "figures": dict(figures)}
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2))


def quantiles(values: list[float]) -> dict[str, float]:
    """Return p50, p95 and the greatest of values."""
    ordered = sorted(values)
    last = len(ordered) - 1
    return {
        "p50": ordered[last // 2],
        "p95": ordered[round(last * 0.95)],
        "max": ordered[-1],
    }
