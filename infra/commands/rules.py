"""`headwater rules`: what detection watches, in versions, on or off."""

import json
from pathlib import Path

import click
from rich.table import Table

from infra.console import table_console
from infra.declaration_files import Declaration, declarations
from infra.registry.rule_book import RuleBook, known_rule, open_rules
from infra.rule_trial.command import try_
from telemetry.errors import RuleError
from telemetry.rules.checks import kind_of
from telemetry.rules.form import rule_from_dict, rule_to_dict, versioned_to_dict
from telemetry.rules.rule import Rule, Scope, VersionedRule
from telemetry.settings import Settings

EXAMPLES = """\b
Examples:
  headwater rules add hot.yaml
  headwater rules list
  headwater rules show hot --versions
  headwater rules try hot.yaml --png hot.png
  headwater rules on hot
  headwater rules off hot

\b
A rule in YAML (JSON may say the same):
  rule: hot
  metric: temperature
  scope: {product: boiler}
  check: {kind: threshold, bound: 90}
  hysteresis: 2
  persistence: {k: 3, n: 5}
  severity: critical

\b
Kinds of checks: threshold, range, rate, stuck, no_data, zscore, mad, ewma,
seasonal, ratio, detector, several, model. `docs/rules.md` says what each takes.
"""
ADD_EXAMPLES = """\b
Examples:
  headwater rules add hot.yaml            new rules are off until `rules on`
  headwater rules add hot.yaml --on
  headwater rules add plant/*.json
"""
TENANT = "default"
OWNER = click.option("--tenant", default=TENANT, show_default=True, help="Whose rules.")


@click.group(epilog=EXAMPLES)
def rules() -> None:
    """Add, show and switch rules; one that is on is in force within 10 s."""


rules.add_command(try_)


@rules.command(epilog=ADD_EXAMPLES)
@click.argument("files", nargs=-1, required=True, metavar="FILE…",
                type=click.Path(exists=True, dir_okay=False, path_type=Path))  # fmt: skip
@click.option("--on/--off", "is_on", default=None, help="Switch them too; default: as they are.")
def add(files: tuple[Path, ...], is_on: bool | None) -> None:
    """Add the rules of FILE…, or put them in force as the next version of their names."""
    wanted = [_rule(path, one) for path in files for one in declarations(path, "rule")]
    book = open_rules(Settings())
    for rule in wanted:
        before = book.rules(rule.tenant).get(rule.name)
        kept = book.put(rule, is_on)
        said = "as it was" if kept == before else f"version {kept.version}, {_state(kept)}"
        click.echo(f"{rule.name}: {said}", err=True)


def _rule(path: Path, declaration: Declaration) -> Rule:
    try:
        return rule_from_dict(declaration)
    except RuleError as error:
        raise RuleError(f"{path}: {error}") from None


@rules.command("list", epilog="\b\nExample:\n  headwater rules list --json\n")
@OWNER
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(tenant: str, as_json: bool) -> None:
    """List all rules."""
    found = open_rules(Settings()).rules(tenant).values()
    if as_json:
        click.echo(json.dumps([versioned_to_dict(kept) for kept in found], indent=2))
        return
    table = Table("rule", "state", "version", "kind", "metrics", "scope", "severity")
    for kept in found:
        rule = kept.rule
        table.add_row(
            rule.name,
            _state(kept),
            str(kept.version),
            kind_of(rule.check),
            ", ".join(rule.metrics) or "any",
            _scope(rule.scope),
            rule.severity,
        )
    table_console().print(table)


@rules.command(epilog="\b\nExamples:\n  headwater rules show hot\n"
                      "  headwater rules show hot --json > hot.json\n")  # fmt: skip
@click.argument("name")
@OWNER
@click.option("--versions", is_flag=True, help="All that it was, the newest first.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, the form that `add` reads.")
def show(name: str, tenant: str, versions: bool, as_json: bool) -> None:
    """Show rule NAME."""
    book = open_rules(Settings())
    kept = known_rule(book, name, tenant)
    if versions:
        _show_versions(book, name, tenant, as_json)
    elif as_json:
        click.echo(json.dumps(rule_to_dict(kept.rule), indent=2))
    else:
        console = table_console()
        console.print(f"{'state':<18}{_state(kept)}", highlight=False)
        console.print(f"{'version':<18}{kept.version}", highlight=False)
        for field, value in rule_to_dict(kept.rule).items():
            shown = value if isinstance(value, str) else json.dumps(value)
            console.print(f"{field:<18}{shown}", highlight=False)


def _show_versions(book: RuleBook, name: str, tenant: str, as_json: bool) -> None:
    found = book.history(tenant, name)
    if as_json:
        click.echo(json.dumps([versioned_to_dict(past.kept) for past in found], indent=2))
        return
    table = Table("version", "state", "changed (UTC)", "by", "what", "check")
    for past in found:
        at = f"{past.changed_at:%Y-%m-%d %H:%M:%S}" if past.changed_at else ""
        check = json.dumps(rule_to_dict(past.kept.rule)["check"])
        table.add_row(str(past.kept.version), _state(past.kept), at, past.actor, past.action, check)
    table_console().print(table)


@rules.command(epilog="\b\nExample:\n  headwater rules on hot cold\n")
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@OWNER
def on(names: tuple[str, ...], tenant: str) -> None:
    """Switch rules on: they judge what comes from now on."""
    _switch(names, tenant, True)


@rules.command(epilog="\b\nExample:\n  headwater rules off hot\n")
@click.argument("names", nargs=-1, required=True, metavar="NAME…")
@OWNER
def off(names: tuple[str, ...], tenant: str) -> None:
    """Switch rules off: they judge no more, and stay with their versions."""
    _switch(names, tenant, False)


def _switch(names: tuple[str, ...], tenant: str, is_on: bool) -> None:
    book = open_rules(Settings())
    for name in names:
        known_rule(book, name, tenant)
    for name in names:
        kept = book.switch(tenant, name, is_on)
        click.echo(f"{name}: version {kept.version}, {_state(kept)}", err=True)


def _state(kept: VersionedRule) -> str:
    return "on" if kept.is_on else "off"


def _scope(scope: Scope) -> str:
    named = (("product", scope.product), ("zone", scope.zone), ("device", scope.device))
    return ", ".join(f"{name} {value}" for name, value in named if value) or "all"
