"""`headwater simulate`: passes its arguments on to the simulator."""

import click

from infra.passing import run_module


@click.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def simulate(arguments: tuple[str, ...]) -> None:
    """Run a seeded fleet of devices; `headwater simulate --help` shows the scenarios."""
    run_module("simulator", "simulate", *arguments)
