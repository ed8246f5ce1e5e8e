"""`headwater job`: runs one batch job."""

import json
import sys
from collections.abc import Mapping

import click
from rich.console import Console
from rich.table import Table

from infra.batch_job import job_duties, job_help, job_names, run_job
from infra.sql.formats import text, write
from infra.sql.result import Result
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

EXAMPLES = """\b
Examples:
  headwater job summaries
  headwater job dedup --help                                   the job's own options
  headwater job compact --json
  headwater job replay --from 2026-11-20 --to 2026-11-20       bronze again, compared
  headwater job replay --rejected --reason unknown_device      after a registration
"""
WRONG_USE = 2
DIFFERENCES = "first"
"""The figure of a replay that lists the first differences."""


@click.command(
    epilog=EXAMPLES,
    add_help_option=False,
    context_settings={"ignore_unknown_options": True},
)
@click.argument("name", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--help", "is_help", is_flag=True, help="Show this message, or a job's own.")
@click.pass_context
def job(
    ctx: click.Context, name: str | None, arguments: tuple[str, ...], as_json: bool, is_help: bool
) -> None:
    """Run one batch job by spark-submit, after any other one has ended, and show its figures."""
    if name is None:
        lines = (f"  {name:<14} {duty}" for name, duty in job_duties().items())
        click.echo("\n".join([ctx.get_help(), "", "Jobs:", *lines]))
        ctx.exit(0 if is_help else WRONG_USE)
    if name not in job_names():
        raise click.UsageError(f"no job {name!r}; there are {', '.join(job_names())}")
    if is_help:
        ctx.exit(job_help(name))
    console = Console(stderr=True)
    with console.status(name) as status:
        outcome = run_job(Settings(), name, arguments, status.update)
    if outcome.code == WRONG_USE:
        raise click.UsageError(outcome.complaint)
    differs = outcome.figures.get("ok") is False
    if outcome.code and not differs:
        raise HeadwaterError(f"{name}: {outcome.complaint}; see `headwater logs job-{name}`")
    if as_json:
        click.echo(json.dumps(outcome.figures, indent=2))
    elif DIFFERENCES in outcome.figures:
        _show_replay(outcome.figures)
    else:
        Console().print(_table(outcome.figures))
    ctx.exit(int(differs))


def _table(figures: Mapping[str, object]) -> Table:
    table = Table("figure", "value")
    for name, value in figures.items():
        table.add_row(name, text(value, null="-").replace("[", "\\["))
    return table


def _show_replay(figures: Mapping[str, object]) -> None:
    """Show the first differences, then all figures as one line of JSON."""
    first = figures[DIFFERENCES]
    rows = [one for one in first if isinstance(one, Mapping)] if isinstance(first, list) else []
    columns = ("table", "key", "columns", "before", "after")
    if rows:
        shown = Result(columns, (tuple(row[name] for name in columns) for row in rows))
        write(shown, "table", sys.stdout)
    click.echo(json.dumps({name: said for name, said in figures.items() if name != DIFFERENCES}))
