"""`headwater up`: starts the stack and waits until it is healthy."""

from functools import partial
from pathlib import Path

import click
from rich.console import Console

from edge.registry_files import RegistryFiles
from infra.commands.fetch import fetch
from infra.console import table_console
from infra.doctor.examination import examine, refuse_if_blocked
from infra.doctor.stack import missing_parts
from infra.drills.fault import undo_faults
from infra.home_lock import check_apart, home_lock
from infra.services import chosen_names, declared_services
from infra.stack import Mode
from infra.starting import prepare, start
from infra.startup_screen import startup_screen, urls
from infra.superset.logins import logins_file, read_logins
from telemetry.settings import Settings

EXAMPLES = """\b
Examples:
  headwater up                        everything
  headwater up --light                streams over a spool, under 2 GiB
  headwater up --only kafka,streams   some services; the rest can follow
  HEADWATER_HOME=/data/two HEADWATER_PORT_BASE=18100 headwater up    a second stack
"""
BROKEN_OFF = (
    "what has started goes on: `headwater up` starts the rest, `headwater down` stops it all"
)


@click.command(epilog=EXAMPLES)
@click.option("--light", is_flag=True, help="No Kafka, Trino or Dagster: streams over a spool.")
@click.option("--only", metavar="NAMES", help="Comma-separated services to start.")
@click.option("--timeout", "timeout_s", default=600, show_default=True, help="Seconds to wait.")
@click.pass_context
def up(ctx: click.Context, light: bool, only: str | None, timeout_s: int) -> None:
    """Start the stack, wait until it is healthy, and show where everything is.

    What is missing of jars and servers is fetched first. Doing it again does no harm: it starts
    what does not run, and cleans up after a start or a drill that was killed.
    """
    settings = Settings()
    check_apart(settings.home)
    mode: Mode = "light" if light else "full"
    names = chosen_names(settings, mode, only)
    with home_lock(settings.home, "up"):
        undo_faults(settings.home, partial(click.echo, err=True))
        refuse_if_blocked(examine(settings, mode, names))
        # A product that cannot be kept as declared would stop the streams later.
        RegistryFiles(settings.registry_dir).products()
        parts = {service.part for service in declared_services(settings, mode, names)}
        if missing := missing_parts(settings, parts):
            ctx.invoke(fetch, parts=tuple(missing), is_relocking=False)
        keys = {name: path for name, path in key_files(settings).items() if not path.exists()}
        had_logins = logins_file(settings).exists()
        daemon, services = prepare(settings, mode, names)
        try:
            with startup_screen(Console(stderr=True)) as show:
                start(daemon, services, timeout_s=timeout_s, show=show)
        except KeyboardInterrupt:
            click.echo(BROKEN_OFF, err=True)
            raise
    click.echo(f"Headwater is up in {settings.home}")
    table_console().print(urls(services))
    for whose, path in keys.items():
        _show_key(whose, path)
    if not had_logins and logins_file(settings).exists():
        _show_logins(settings)


def key_files(settings: Settings) -> dict[str, Path]:
    """Return the files of keys that first starts make, by whose key it is."""
    return {
        "registry: the first admin's": settings.registry_admin_key_file,
        "query: this home's": settings.query_key_file,
    }


def _show_key(whose: str, path: Path) -> None:
    """Show a key that a first start has made, this once."""
    if path.exists():
        click.echo(f"{whose} key is {path.read_text('utf-8').strip()}", err=True)
        click.echo(f"It is shown this once, and kept in {path} for its owner alone.", err=True)


def _show_logins(settings: Settings) -> None:
    """Show the logins that Superset's first start has made, this once."""
    drawn = ", ".join(f"{name} {password}" for name, password in read_logins(settings).items())
    click.echo(f"superset: {drawn}", err=True)
    click.echo("They are shown this once; again by `headwater dashboards logins`.", err=True)
