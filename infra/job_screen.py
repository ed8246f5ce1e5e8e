"""What a batch job did, as tables: its figures, then those of each table it touched."""

import json
import sys
from collections.abc import Mapping

import click
from rich.table import Table

from infra.console import table_console, visible
from infra.sql.formats import text, write
from infra.sql.result import Result

DIFFERENCES = "first"
"""The figure of a replay that lists the first differences."""
TABLES = "tables"
"""The figure that says of each table what is true of it alone."""


def show_figures(figures: Mapping[str, object]) -> None:
    """Draw the figures."""
    if DIFFERENCES in figures:
        _show_replay(figures)
        return
    console = table_console()
    of_tables = figures.get(TABLES)
    named = of_tables if isinstance(of_tables, Mapping) else {}
    alone = {name: value for name, value in figures.items() if not named or name != TABLES}
    if alone:
        console.print(_figures(alone))
    if named:
        console.print(_tables(named))


def _figures(figures: Mapping[str, object]) -> Table:
    drawn = Table("figure", "value")
    for name, value in figures.items():
        drawn.add_row(name, _cell(value))
    return drawn


def _tables(named: Mapping[str, object]) -> Table:
    """Draw a row a table, with a column for each figure that any of them has."""
    rows = {name: said for name, said in named.items() if isinstance(said, Mapping)}
    columns = list(dict.fromkeys(figure for said in rows.values() for figure in said))
    drawn = Table("table", *columns)
    for name, said in rows.items():
        drawn.add_row(name, *(_cell(said.get(column)) for column in columns))
    return drawn


def _cell(value: object) -> str:
    if value in ({}, []):
        return ""
    return visible(text(value, null="-"))


def _show_replay(figures: Mapping[str, object]) -> None:
    """Show the first differences, then all figures as one line of JSON; beside, what it means."""
    first = figures[DIFFERENCES]
    rows = [one for one in first if isinstance(one, Mapping)] if isinstance(first, list) else []
    columns = ("table", "key", "columns", "before", "after")
    if rows:
        shown = Result(columns, (tuple(row[name] for name in columns) for row in rows))
        write(shown, "table", sys.stdout)
    click.echo(json.dumps({name: said for name, said in figures.items() if name != DIFFERENCES}))
    click.echo(_verdict(figures), err=True)


def _verdict(figures: Mapping[str, object]) -> str:
    """Return in one sentence how a replay ended."""
    compared, differences = (_sum(figures.get(name)) for name in ("compared", "differences"))
    messages = figures.get("messages", 0)
    if not messages and not differences:
        return "nothing was replayed: bronze has no message that was received in this range"
    judged = f"{messages:,} messages judged anew, {compared:,} rows compared"
    if not differences:
        return f"identical: {judged}"
    listed = f"{differences:,} rows differ ({judged}), all listed in {figures.get('file')}"
    if "put" not in figures:
        return listed
    return f"{listed}; put in place: {_sum(figures['put']):,} rows, gold: {figures['restated']}"


def _sum(counts: object) -> int:
    return sum(int(each) for each in counts.values()) if isinstance(counts, Mapping) else 0
