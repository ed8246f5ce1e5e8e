"""`headwater job`: runs one batch job."""

import json
from collections.abc import Mapping

import click
from rich.console import Console
from rich.table import Table

from infra.batch_job import job_help, job_names, run_job
from infra.sql.formats import text
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

EXAMPLES = """\b
Examples:
  headwater job summaries
  headwater job dedup --help       the job's own options
  headwater job compact --json
"""
WRONG_USE = 2


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
        click.echo(f"{ctx.get_help()}\n\nJobs: {', '.join(job_names())}")
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
    if outcome.code:
        raise HeadwaterError(f"{name}: {outcome.complaint}; see `headwater logs job-{name}`")
    if as_json:
        click.echo(json.dumps(outcome.figures, indent=2))
    else:
        Console().print(_table(outcome.figures))


def _table(figures: Mapping[str, object]) -> Table:
    table = Table("figure", "value")
    for name, value in figures.items():
        table.add_row(name, text(value, null="-").replace("[", "\\["))
    return table
