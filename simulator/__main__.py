"""`python -m simulator`: simulate a fleet, or verify what became of it."""

import importlib
import sys
import traceback

import click

from telemetry.errors import HeadwaterError

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
@click.option("--debug", is_flag=True, envvar="HEADWATER_DEBUG", help="show tracebacks")
def main(debug: bool) -> None:
    """Seeded fleets of devices, and the scorer that holds the lake against their ledger."""


def run() -> int:
    """Run the command; an error of ours is one line and exit code 1."""
    try:
        main(prog_name="headwater")
    except HeadwaterError as error:
        if "--debug" in sys.argv:
            traceback.print_exc()
        click.echo(f"error: {error}", err=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run())
