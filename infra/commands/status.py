"""`headwater status`: services and streams as they are now."""

import json

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra.console import table_console
from infra.drills.fault import left_faults
from infra.health import Health, health
from telemetry.settings import Settings

EXAMPLES = """\b
Examples:
  headwater status
  headwater status --json | jq '.streams[] | {name, lag_messages}'
"""
OUTSIDE = "acknowledged once one replica has it, outside the promise of durability"
STYLES = {"running": "green", "starting": "yellow", "degraded": "yellow", "failed": "red"}


@click.command(epilog=EXAMPLES)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Show services and streams; exit 1 unless all that was started runs well.

    PSS is the memory of a service's whole process tree, shared pages counted by share.
    """
    settings = Settings()
    now = health(settings)
    if as_json:
        click.echo(json.dumps(now.as_json(), indent=2))
    else:
        _show(table_console(), now)
    for fault in left_faults(settings.home):
        click.echo(fault.sentence, err=True)
    if not now.is_up:
        click.echo(f"not running in {settings.home}: headwater up", err=True)
    if not now.is_healthy:
        ctx.exit(1)


def _show(console: Console, now: Health) -> None:
    services = Table(title=None)
    for heading in ("service", "state", "url", "pid", "PSS MiB", "budget MiB"):
        services.add_column(heading, overflow="fold", no_wrap=heading != "url")
    for each in now.services:
        numbers = [_text(number) for number in (each.pid, each.pss_mb, each.budget_mb)]
        services.add_row(each.name, _state(each.state), each.url or "-", *numbers)
    used = sum(each.pss_mb or 0 for each in now.services)
    services.add_row("all", "", "", "", str(used), "", style="bold")
    console.print(services)
    if now.consumer_devices:
        count = f"{now.consumer_devices:,} device{'s' * (now.consumer_devices > 1)}"
        console.print(f"{count} of class consumer: {OUTSIDE}", style="yellow", highlight=False)
    if now.streams:
        _show_streams(console, now)


def _show_streams(console: Console, now: Health) -> None:
    streams = Table("stream", "state", "rows/s", "lag", "age s", "event time")
    for stream in now.streams:
        numbers = [
            _text(number) for number in (stream.input_rows_per_s, stream.lag_messages, stream.age_s)
        ]
        streams.add_row(stream.name, _state(stream.state), *numbers, stream.event_time or "-")
    console.print(streams)
    for stream in now.streams:
        if stream.error:
            console.print(f"{stream.name}: {stream.error}", style="red", highlight=False)


def _state(state: str) -> Text:
    return Text(state, STYLES.get(state, "dim"))


def _text(number: float | None) -> str:
    if number is None:
        return "-"
    return str(number) if isinstance(number, int) else f"{number:,.1f}"
