"""`headwater down`: stops the stack and leaves no process."""

from functools import partial

import click
from rich.console import Console

from infra.drills.fault import undo_faults
from infra.home_lock import home_lock
from infra.stopping import end_demo, stop, wipe
from telemetry.settings import Settings

EXAMPLES = """\b
Examples:
  headwater down            stop; tables, topics and settings stay
  headwater down --wipe     stop, then delete the home's state, the tables included
"""


@click.command(epilog=EXAMPLES)
@click.option("--wipe", "is_wiping", is_flag=True, help="Delete the state and the tables too.")
def down(is_wiping: bool) -> None:
    """Stop the stack, streams first, and leave no process."""
    settings = Settings()
    if not settings.home.exists():
        click.echo(f"nothing to stop in {settings.home}")
        return
    end_demo(settings)
    with home_lock(settings.home, "down"):
        undo_faults(settings.home, partial(click.echo, err=True), is_starting=False)
        with Console(stderr=True).status("stopping") as status:
            count = stop(settings, status.update)
        if is_wiping:
            wipe(settings)
    click.echo(f"stopped {count} processes" if count else "nothing was running")
    if is_wiping:
        click.echo(f"deleted the state in {settings.home}")
