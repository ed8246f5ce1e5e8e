"""The demo's answers: questions worth trying, a row of each fault, a plot, and where to look."""

import sys
from collections.abc import Sequence

import click
from rich.console import Console

from infra.commands.plot import plot
from infra.commands.sql import answer
from infra.demo.questions import FAULTS, QUESTIONS, TO_PLOT
from infra.services import declared_services
from infra.sql.formats import text, write_table
from infra.sql.result import Result
from infra.stack import read_stack
from infra.startup_screen import urls
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

LONGEST_CELL = 120


def show_answers(settings: Settings, console: Console) -> None:
    """Print all answers; a question that has none yet says so."""
    for title, query in QUESTIONS:
        console.print(f"\n[bold]{title}[/bold]")
        _show_query(console, query)
        columns, rows = _asked(settings, query)
        write_table(Result(columns, iter(rows)), sys.stdout)
    console.print("\n[bold]One fault of each kind, and the query that finds its row[/bold]")
    for fault, query in FAULTS.items():
        console.print(f"\n[cyan]{fault}[/cyan]", highlight=False)
        _show_query(console, query)
        _show_row(console, *_asked(settings, query))
    _plot(settings, console)
    stack = read_stack(settings.home)
    if stack:
        console.print("\n[bold]Where to look[/bold]")
        console.print(urls(declared_services(settings, stack.mode, stack.services)))


def _asked(settings: Settings, query: str) -> tuple[tuple[str, ...], Sequence[Sequence[object]]]:
    """Return an answer whole; a question that fails leaves the others theirs."""
    try:
        found = answer(settings, query)
        return found.columns, list(found.rows)
    except HeadwaterError as error:
        return ("error",), [(str(error),)]


def _show_query(console: Console, query: str) -> None:
    console.print(f'  headwater sql "{query}"', highlight=False, markup=False, soft_wrap=True)


def _show_row(console: Console, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print the row on one line, or that there is none yet."""
    said = "no row yet: ask again in a moment"
    if rows:
        cells = [text(value, null="NULL")[:LONGEST_CELL] for value in rows[0]]
        said = ", ".join(f"{name} {cell}" for name, cell in zip(columns, cells, strict=True))
    console.print(f"  → {said}", style="green", highlight=False, markup=False, soft_wrap=True)


def _plot(settings: Settings, console: Console) -> None:
    """Draw the series of the device that has said most."""
    columns, rows = _asked(settings, TO_PLOT)
    if not rows or "error" in columns:
        return
    device, metric = map(str, rows[0])
    console.print(f"\n[bold]A series[/bold]\n  headwater plot {device} {metric} --window raw")
    click.Context(plot).invoke(
        plot, device=device, metric=metric, window="raw", png=None, tenant="default"
    )
