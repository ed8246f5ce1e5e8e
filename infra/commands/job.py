"""`headwater job`: runs one batch job."""

import json

import click
from rich.console import Console

from infra.batch_job import job_duties, job_help, job_names, run_job
from infra.job_screen import show_figures
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

EXAMPLES = """\b
Examples:
  headwater job summaries
  headwater job dedup --help                                   the job's own options
  headwater job compact --json
  headwater job replay --from 2026-11-20 --to 2026-11-20       bronze again, compared
  headwater job replay --rejected --registered                 after a registration
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
    else:
        show_figures(outcome.figures)
    ctx.exit(int(differs))
