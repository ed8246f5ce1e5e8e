"""`headwater dashboards`: Superset's logins, and its dashboards written back to the bundle."""

import subprocess
from collections.abc import Sequence

import click
from rich.table import Table

from infra.console import table_console
from infra.environment import child_environment
from infra.example_group import ExampleGroup
from infra.superset.environment import superset_python
from infra.superset.logins import logins_file, read_logins
from infra.superset.service import superset_variables, write_superset_settings
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

EXAMPLES = """\b
Examples:
  headwater dashboards logins            who may log in to Superset, and with what
  headwater dashboards logins --reset    new passwords for all three
  headwater dashboards export            what was changed in the browser, back into dashboards/
"""


@click.group(cls=ExampleGroup, epilog=EXAMPLES)
def dashboards() -> None:
    """Show Superset's logins, or write changed dashboards back into the checkout."""


@dashboards.command()
@click.option("--reset", is_flag=True, help="Draw new passwords first.")
def logins(reset: bool) -> None:
    """Show the logins that Superset's first start made."""
    settings = Settings()
    if reset:
        logins_file(settings).unlink(missing_ok=True)
        write_superset_settings(settings)
        _run(settings, ("prepare",))
    table_console().print(logins_table(settings))


@dashboards.command()
def export() -> None:
    """Write all dashboards, charts and datasets over the bundle's files, by their uuid."""
    _run(Settings(), ("export",))


def logins_table(settings: Settings) -> Table:
    """Return a table of users and passwords."""
    table = Table()
    table.add_column("user")
    table.add_column("password", overflow="fold")
    for name, password in read_logins(settings).items():
        table.add_row(name, password)
    return table


def _run(settings: Settings, arguments: Sequence[str]) -> None:
    """Run one of our tools inside Superset's environment."""
    module, *rest = arguments
    command = [str(superset_python(settings)), "-m", f"infra.superset.inside.{module}", *rest]
    variables = {**child_environment(settings), **superset_variables(settings)}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().rpartition("\n")[2]
        raise HeadwaterError(f"Superset did not do it: {said}")
    click.echo(done.stdout, nl=False)
