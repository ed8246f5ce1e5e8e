"""`headwater doctor`: names what is missing on this machine, and its fix."""

import json
from dataclasses import asdict

import click
from rich.table import Table
from rich.text import Text

from infra.console import table_console
from infra.doctor.examination import examine
from infra.services import service_names
from infra.stack import Mode
from telemetry.settings import Settings

EXAMPLES = """\b
Examples:
  headwater doctor
  headwater doctor --light --json
"""
STYLES = {"ok": "green", "warning": "yellow", "missing": "red"}


@click.command(epilog=EXAMPLES)
@click.option("--light", is_flag=True, help="Check what `up --light` needs.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def doctor(ctx: click.Context, light: bool, as_json: bool) -> None:
    """Name each thing that is missing, and its fix; exit 1 if one keeps the stack from starting."""
    settings = Settings()
    mode: Mode = "light" if light else "full"
    findings = examine(settings, mode, service_names(settings, mode))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        table = Table("checked", "verdict")
        for heading in ("found", "fix"):
            table.add_column(heading, overflow="fold")
        for each in findings:
            verdict = Text(each.verdict, STYLES[each.verdict])
            table.add_row(each.subject, verdict, each.found, each.fix)
        table_console().print(table)
    if any(finding.verdict == "missing" for finding in findings):
        ctx.exit(1)
