"""The `headwater` command: each subcommand is a module of `infra.commands`, imported on demand."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import IO

import click
from pydantic import ValidationError

from infra.stack import read_stack
from telemetry.errors import HeadwaterError, one_line
from telemetry.settings import Settings

COMMANDS = {
    "up": "Start the stack and wait until it is healthy.",
    "down": "Stop the stack; leave no process.",
    "status": "Show services and streams.",
    "logs": "Show a service's log.",
    "doctor": "Name what is missing on this machine, and its fix.",
    "sql": "Ask the tables.",
    "publish": "Send anybody's CSV or NDJSON as messages.",
    "simulate": "Run a seeded fleet of devices.",
    "verify": "Hold the lake against a ledger.",
    "job": "Run one batch job.",
    "product": "Add and show products.",
    "device": "Add, import and show devices.",
    "rules": "Add, list, show and switch rules of detection.",
    "alerts": "List, take on and silence alerts; ask why one was told.",
    "plot": "Draw a series.",
    "detect": "Score the rows of files as the stream would.",
    "model": "Train, list and use models of wear and failure.",
    "dashboards": "Show Superset's logins, and keep changed dashboards.",
    "drill": "Rehearse a fault, and see every promise kept.",
    "demo": "Show a mixed fleet flow through the tables.",
    "fetch": "Fetch jars and servers into the cache.",
}
HIDDEN = {"fetch"}

EXAMPLES = """\b
Examples:
  headwater up --light          a small stack: no Kafka, no Trino
  headwater status
  headwater sql "select count(*) from silver.readings"
  headwater down
"""


class Failure(click.ClickException):
    """An error as one line on stderr, exit code 1."""

    def show(self, file: IO[str] | None = None) -> None:
        """Print the message after `error: `."""
        click.echo(f"error: {self.message}", file=file or sys.stderr)


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one when it is invoked."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all commands that help shows."""
        return [name for name in COMMANDS if name not in HIDDEN]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module, or return None for a name that is not ours."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(f"infra.commands.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name]) for name in self.list_commands(ctx)])

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; turn what a person can mend into one line."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
            raise
        except Exception as error:
            if ctx.params["debug"]:
                raise
            raise Failure(one_line(error)) from None


@click.group(cls=LazyGroup, epilog=EXAMPLES, context_settings={"max_content_width": 100})
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def cli(debug: bool) -> None:
    """Headwater: a telemetry lakehouse on one machine.

    Settings are environment variables: HEADWATER_HOME (state, default .headwater),
    HEADWATER_PORT_BASE (default: what the home's stack was started with, else 18000).
    """
    if debug:
        os.environ["HEADWATER_DEBUG"] = "true"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `headwater`; `--debug` may stand anywhere."""
    for stream in (sys.stdout, sys.stderr):
        # Terminals of another encoding, and names of files that are in none.
        if isinstance(stream, TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
    given = list(sys.argv[1:] if arguments is None else arguments)
    if "--debug" in given:
        given = ["--debug", *(argument for argument in given if argument != "--debug")]
    _keep_ports()
    cli.main(given, prog_name="headwater")


def _keep_ports() -> None:
    """Go by the ports of the home's stack where no others are set.

    At the default ones another home's stack may answer, with its tables.
    """
    try:
        settings = Settings()
        stack = read_stack(settings.home)
    except (ValidationError, HeadwaterError, OSError):
        # The command says it, unless it is to help alone.
        return
    if stack and "port_base" not in settings.model_fields_set:
        os.environ["HEADWATER_PORT_BASE"] = str(stack.port_base)


if __name__ == "__main__":
    main()
