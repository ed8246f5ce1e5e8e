"""`headwater alerts`: what is wrong now, who knows of it, and why."""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import click
from rich.table import Table

from infra.console import table_console
from infra.environment import PROJECT, setting_variables
from infra.example_group import ExampleGroup
from infra.service_client import Json, ServiceClient, open_alerts
from telemetry.durations import parse_duration
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

EXAMPLES = """\b
Examples:
  headwater alerts list                                 what is not over
  headwater alerts list --state resolved --rule hot
  headwater alerts why ID                               who was told, by what, and how it went
  headwater alerts why --person ann
  headwater alerts ack ID
  headwater alerts resolve ID
  headwater alerts silence device=pump.p1 --for 2h --comment "bearing is changed"
  headwater alerts silences
  headwater alerts silence --end ID
  headwater alerts test ann                             waits for the delivery
  headwater alerts check alerts.yaml
"""
TENANT = "default"
STATES = ("unresolved", "open", "acknowledged", "resolved", "all")
SETTLED = ("delivered", "refused", "given_up")
_Tenant = click.option("--tenant", default=TENANT, show_default=True, help="Whose alerts.")
_Json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(cls=ExampleGroup, epilog=EXAMPLES)
def alerts() -> None:
    """List, take on and silence alerts; ask why one was told."""


@alerts.command("list")
@click.option("--state", type=click.Choice(STATES), default="unresolved", show_default=True)
@click.option("--severity", type=click.Choice(("info", "warning", "critical")))
@click.option("--rule", help="Of one rule.")
@click.option("--device", help="Of one device.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@_Tenant
@_Json
def list_(state: str, limit: int, tenant: str, as_json: bool, **named: str | None) -> None:
    """List alerts, the newest change first."""
    asked = {**named, "state": None if state == "all" else state, "limit": limit}
    found = cast(Json, _client().ask("GET", "/v1/alerts", None, {**asked, "tenant": tenant}))
    rows = cast(list[Json], found["alerts"])
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    table = Table("alert", "state", "severity", "rule", "device", "since", "text")
    for row in rows:
        about = str(row["device"] or row["zone"] or "-")
        since = str(row["opened_at"])[:19]
        named_row = (str(row[name]) for name in ("alert_id", "state", "severity", "rule"))
        table.add_row(*named_row, about, since, str(row["text"]))
    table_console().print(table)
    if found["next"]:
        click.echo(f"the newest {limit}; there are more: --limit", err=True)


@alerts.command()
@click.argument("alert_id", required=False)
@click.option("--person", help="What was decided about a person, instead.")
@click.option("--before", type=click.IntRange(min=1), help="Steps older than this place.")
@click.option("--limit", type=click.IntRange(1, 1000), default=1000, show_default=True,
              help="So many decisions; tries of deliveries come beside.")  # fmt: skip
@_Tenant
@_Json
def why(
    alert_id: str | None,
    person: str | None,
    tenant: str,
    as_json: bool,
    **page: int | None,
) -> None:
    """Show the trail of alert ID: every decision, and every try of a delivery."""
    if (alert_id is None) == (person is None):
        raise click.UsageError("name an alert, or --person NAME")
    path = f"/v1/people/{person}/trail" if person else f"/v1/alerts/{alert_id}/trail"
    found = cast(Json, _client().ask("GET", path, None, {**page, "tenant": tenant}))
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    steps = cast(list[Json], found["steps"])
    about = "alert_id" if person else "person"
    table = Table("at", "step", about.removesuffix("_id"), "facts")
    for step in steps:
        facts = cast(Json, step["facts"])
        said = ", ".join(f"{name} {_shown(value)}" for name, value in facts.items() if value)
        table.add_row(str(step["at"])[:23], str(step["step"]), str(step[about] or "-"), said)
    table_console().print(table)
    if found["truncated"]:
        click.echo(f"there are older steps: --before {found['next']}", err=True)


def _shown(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)


@alerts.command()
@click.argument("alert_id")
@_Tenant
def ack(alert_id: str, tenant: str) -> None:
    """Take alert ID on: it is repeated and escalated no more, unless it becomes graver."""
    _tell(_client().ask("POST", f"/v1/alerts/{alert_id}/acknowledge", None, {"tenant": tenant}))


@alerts.command()
@click.argument("alert_id")
@_Tenant
def resolve(alert_id: str, tenant: str) -> None:
    """End alert ID, which no detector will."""
    _tell(_client().ask("POST", f"/v1/alerts/{alert_id}/resolve", None, {"tenant": tenant}))


def _tell(found: object) -> None:
    one = cast(Json, found)
    click.echo(f"{one['alert_id']}: {one['state']}")


@alerts.command()
@click.argument("matches", nargs=-1, metavar="FIELD=VALUE…")
@click.option("--for", "lasts", default="2 h", show_default=True, help="How long, from now on.")
@click.option("--comment", help="Why; everybody sees it.")
@click.option("--end", "ended", metavar="ID", help="End this silence instead.")
@_Tenant
def silence(
    matches: tuple[str, ...], lasts: str, comment: str | None, ended: str | None, tenant: str
) -> None:
    """Tell nobody of alerts that fit every FIELD=VALUE; `*` in a value stands for anything."""
    client = _client()
    if ended:
        client.ask("DELETE", f"/v1/silences/{ended}", None, {"tenant": tenant})
        click.echo(f"{ended}: ended")
        return
    if not matches or not comment:
        raise click.UsageError("name at least one FIELD=VALUE, and why: --comment")
    body = {"match": _match(matches), "comment": comment, "ends_at": _end(lasts).isoformat()}
    made = cast(Json, client.ask("POST", "/v1/silences", body, {"tenant": tenant}))
    click.echo(f"{made['silence_id']}: until {made['ends_at']}")


def _end(lasts: str) -> datetime:
    span = parse_duration(lasts)
    if span is None:
        raise click.UsageError("a silence has an end: --for 2h")
    try:
        return datetime.now(UTC) + span
    except OverflowError as error:
        raise click.UsageError(f"--for {lasts}: no calendar goes on for so long") from error


def _match(matches: tuple[str, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for match in matches:
        name, equals, value = match.partition("=")
        if not equals or not value:
            raise click.UsageError(f"{match!r} is no FIELD=VALUE, such as device=pump.p1")
        found.setdefault(name, []).append(value)
    return found


@alerts.command()
@_Tenant
@_Json
def silences(tenant: str, as_json: bool) -> None:
    """List the silences that have not ended."""
    found = cast(list[Json], _client().ask("GET", "/v1/silences", None, {"tenant": tenant}))
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    table = Table("silence", "match", "author", "until", "comment")
    for one in found:
        fields = cast("dict[str, list[str]]", one["match"])
        match = " ".join(f"{name}={value}" for name, values in fields.items() for value in values)
        until = str(one["ends_at"])[:19]
        table.add_row(str(one["silence_id"]), match, str(one["author"]), until, str(one["comment"]))
    table_console().print(table)


@alerts.command()
@click.argument("to")
@click.option("--wait", "wait_s", type=click.FloatRange(0, 600), default=30, show_default=True,
              help="Seconds to wait for the delivery.")  # fmt: skip
@_Tenant
def test(to: str, wait_s: float, tenant: str) -> None:
    """Send a test to person, team or receiver TO, and say how it went."""
    client = _client()
    sent = cast(Json, client.ask("POST", "/v1/tests", {"to": to}, {"tenant": tenant}))
    failed = 0
    for key in cast(list[str], sent["messages"]):
        message = _settled(client, key, tenant, wait_s)
        failed += message["state"] != "delivered"
        click.echo(f"{message['receiver']}: {message['state']} after {message['tries']} tries")
    if failed:
        raise HeadwaterError("not all was delivered: `headwater logs alerts` says why")


def _settled(client: ServiceClient, key: str, tenant: str, wait_s: float) -> Json:
    give_up = time.monotonic() + wait_s
    while True:
        found = cast(Json, client.ask("GET", f"/v1/messages/{key}", None, {"tenant": tenant}))
        if found["state"] in SETTLED or time.monotonic() > give_up:
            return found
        time.sleep(0.2)


@alerts.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(file: Path) -> None:
    """Say whether FILE holds as the configuration of alerts, or what to mend in it."""
    command = [sys.executable, "-m", "services.alerts", "check", str(file.absolute())]
    environment = {**setting_variables(Settings()), "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise HeadwaterError(done.stderr.strip().rpartition("\n")[2])
    click.echo(done.stdout.strip())


def _client() -> ServiceClient:
    return open_alerts(Settings())
