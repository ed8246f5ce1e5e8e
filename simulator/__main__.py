"""`python -m simulator`: simulate a fleet, or verify what became of it."""

import importlib
import sys

import click
from pydantic import ValidationError

from telemetry.errors import one_line
from telemetry.settings import Settings

COMMANDS = ("simulate", "verify")


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(importlib.import_module(f"simulator.{cmd_name}"), cmd_name)
        return command


@click.group(cls=_Lazy)
@click.option("--debug", is_flag=True, help="show tracebacks")
def main(debug: bool) -> None:
    """Seeded fleets of devices, and the scorer that holds the lake against their ledger."""


def run() -> int:
    """Run the command; an error is one line and exit code 1, unless tracebacks are asked for."""
    try:
        main(prog_name="headwater")
    except Exception as error:
        if "--debug" in sys.argv or _is_debug():
            raise
        click.echo(f"error: {one_line(error)}", err=True)
    return 1


def _is_debug() -> bool:
    try:
        return Settings().debug
    except ValidationError:
        return False


if __name__ == "__main__":
    sys.exit(run())
