"""`headwater logs`: a service's log."""

import click

from infra.log_lines import follow, last_lines
from infra.services import service_names
from infra.supervision.configuration import log_path
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

EXAMPLES = """\b
Examples:
  headwater logs streams
  headwater logs kafka -n 500
  headwater logs trino -f          until Ctrl-C
"""


@click.command(epilog=EXAMPLES)
@click.argument("name")
@click.option("-f", "--follow", "is_following", is_flag=True, help="Go on with what comes.")
@click.option("-n", "--lines", default=100, show_default=True, help="How many of the last lines.")
def logs(name: str, is_following: bool, lines: int) -> None:
    """Show the log of a service, of supervisord, or of a job's last run (job-NAME)."""
    settings = Settings()
    path = log_path(settings.home, name)
    written = {log.stem for log in path.parent.glob("*.log")}
    known = {*service_names(settings, "full"), "streams", "supervisord", *written}
    if name not in known:
        raise click.UsageError(f"no service {name!r}; there are {', '.join(sorted(known))}")
    if not path.exists():
        raise HeadwaterError(f"{name} has no log in {settings.home}: it was never started")
    for line in last_lines(path, lines):
        click.echo(line)
    if is_following:
        for line in follow(path):
            click.echo(line)
