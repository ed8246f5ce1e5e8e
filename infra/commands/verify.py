"""`headwater verify`: passes its arguments on to the simulator's scorer."""

import click

from infra.passing import run_module


@click.command(add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def verify(arguments: tuple[str, ...]) -> None:
    """Hold the lake against a ledger; `headwater verify --help` shows the options."""
    run_module("simulator", "verify", *arguments)
