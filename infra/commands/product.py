"""`headwater product`: what kinds of devices there are, and what they may say."""

import json
from collections.abc import Iterator
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from infra.close_names import unknown
from infra.console import table_console
from infra.declaration_files import Declaration, declarations
from infra.example_group import ExampleGroup
from infra.lateness import Proposal, measured, propose
from infra.plotting.delays import draw_delays, save_delays
from infra.product_fields import check_fields
from infra.registry.book import open_book
from telemetry.durations import format_duration
from telemetry.errors import ProductError
from telemetry.products import Product, product_from_dict, product_to_dict
from telemetry.settings import Settings

EXAMPLES = """\b
Examples:
  headwater product list
  headwater product add meter.json
  headwater product show meter
  headwater product lateness meter --png delays.png

\b
A product in JSON (YAML may say the same):
  {"product": "meter", "lateness": "30 s", "max_age": "7 d", "retention": "default",
   "versions": [{"version": 1, "metrics": {
     "kwh": {"type": "double", "unit": "kWh", "kind": "counter", "min": 0, "required": true}}}]}
"""
TENANT = "default"
CUT_OTHERWISE = (
    "its sessions and sliding windows of before were cut by the rule of before, and those that were"
    " open are of neither: `headwater job rebuild-gold --from DATE` makes them again by the new one"
)


@click.group(cls=ExampleGroup, epilog=EXAMPLES)
def product() -> None:
    """Add and show products."""


@product.command(epilog="\b\nExample:\n  headwater product add meter.json pump.yaml\n")
@click.argument("files", nargs=-1, required=True, metavar="FILE…",
                type=click.Path(exists=True, dir_okay=False, path_type=Path))  # fmt: skip
def add(files: tuple[Path, ...]) -> None:
    """Add the products of FILE…, or put them in the place of those of the same name.

    A version that is there stays as it is; a new one must be compatible with those before it, as
    `compatibility` says: BACKWARD (the default), FORWARD or FULL, each also with _TRANSITIVE.
    """
    declared = [(path, one) for path in files for one in declarations(path, "product")]
    products = [_product(path, declaration) for path, declaration in declared]
    book = open_book(Settings())
    before = book.products()
    for each in products:
        is_changed = book.put_product(each)
        click.echo(f"{each.key}: {'written' if is_changed else 'as it was'}", err=True)
        for said in _left_as_before(before.get((each.tenant, each.key)), each):
            click.echo(f"{each.key}: {said}", err=True)


def _left_as_before(before: Product | None, now: Product) -> Iterator[str]:
    """Yield what of the rows that are there goes by the product as it was, and what mends it."""
    if before is None:
        return
    if (before.session_gap, before.sliding) != (now.session_gap, now.sliding):
        yield CUT_OTHERWISE
    if before.retention_class != now.retention_class:
        yield (
            f"what has landed is dropped by the retention of before, {before.retention_class}:"
            f" `headwater job replay --from DATE --in-place` keeps it by {now.retention_class}"
        )


def _product(path: Path, declaration: Declaration) -> Product:
    try:
        found = product_from_dict(declaration)
        check_fields(declaration)
    except ProductError as error:
        raise ProductError(f"{path}: {error}") from error
    return found


@product.command("list", epilog="\b\nExample:\n  headwater product list --json\n")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(as_json: bool) -> None:
    """List all products."""
    products = open_book(Settings()).products().values()
    if as_json:
        click.echo(json.dumps([product_to_dict(each) for each in products], indent=2))
        return
    table = Table("product", "tenant", "lateness", "max age", "retention", "versions", "metrics")
    for each in products:
        metrics = {name for version in each.versions for name in version.metrics}
        table.add_row(
            each.key,
            each.tenant,
            format_duration(each.lateness),
            format_duration(each.max_age),
            each.retention_class,
            ", ".join(str(version.version) for version in each.versions) or "-",
            str(len(metrics)) if metrics else "any",
        )
    table_console().print(table)


@product.command(epilog="\b\nExamples:\n  headwater product show meter\n"
                        "  headwater product show meter --json > meter.json\n")  # fmt: skip
@click.argument("name")
@click.option("--tenant", default=TENANT, show_default=True, help="Whose product.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, the form that `add` reads.")
def show(name: str, tenant: str, as_json: bool) -> None:
    """Show one product with its metrics."""
    found = _known(name, tenant)
    if as_json:
        click.echo(json.dumps(product_to_dict(found), indent=2))
        return
    console = table_console()
    fields = product_to_dict(found)
    for field in ("product", "tenant", "lateness", "max_age", "retention", "dedup_horizon"):
        console.print(f"{field:<14}{fields[field]}", highlight=False)
    console.print(f"{'compatibility':<14}{found.compatibility}", highlight=False)
    if not found.versions:
        console.print("no schema: any metric, its type fixed by its first use")
    for version in found.newest_first:
        table = Table(title=f"version {version.version}")
        for heading in ("metric", "type", "unit", "kind", "range", "required", "sentinels"):
            table.add_column(heading, overflow="fold")
        table.add_column("values", overflow="fold")
        for metric in version.metrics.values():
            table.add_row(
                metric.name,
                metric.type,
                metric.unit or "",
                metric.kind,
                _range(metric.min, metric.max),
                "yes" if metric.required else "",
                ", ".join(map(str, metric.sentinels)),
                ", ".join(metric.values),
            )
        console.print(table)


def _range(least: float | None, greatest: float | None) -> str:
    if least is None and greatest is None:
        return ""
    low = "" if least is None else f"{least:g}"
    return f"{low} … {'' if greatest is None else f'{greatest:g}'}"


@product.command(epilog="\b\nExample:\n  headwater product lateness meter --png delays.png\n")
@click.argument("name")
@click.option("--tenant", default=TENANT, show_default=True, help="Whose product.")
@click.option("--png", type=click.Path(dir_okay=False, path_type=Path), help="Save the plot here.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def lateness(name: str, tenant: str, png: Path | None, as_json: bool) -> None:
    """Propose a lateness from the measured delays: the worst hour's p99, rounded up.

    The steps are 2 s, 5 s, 30 s and 5 min; beyond them it is unbounded.
    """
    found = _known(name, tenant)
    delays = measured(Settings().lake_root, name, tenant)
    proposal = propose(name, found.lateness, delays)
    if png:
        save_delays(proposal, png)
        click.echo(f"saved {png}", err=True)
    if as_json:
        click.echo(json.dumps(proposal.as_json(), indent=2))
        return
    _show(proposal)
    if not png:
        click.echo(draw_delays(proposal))


def _show(proposal: Proposal) -> None:
    console = table_console()
    table = Table("hour (UTC)", "messages", "p50 s", "p95 s", "p99 s", "max s")
    for delay in proposal.delays[-24:]:
        seconds = [f"{value:,.3f}" for value in (delay.p50, delay.p95, delay.p99, delay.max)]
        table.add_row(f"{delay.hour:%Y-%m-%d %H:%M}", f"{delay.count:,}", *seconds)
    console.print(table)
    console.print(
        Text.assemble(
            f"{proposal.product}: worst hour's p99 is {proposal.p99:,.3f} s; proposed lateness ",
            (format_duration(proposal.proposed), "bold"),
            f", declared {format_duration(proposal.declared)}",
        )
    )


def _known(name: str, tenant: str) -> Product:
    products = open_book(Settings()).products()
    found = products.get((tenant, name))
    if found is None:
        names = [key for owner, key in products if owner == tenant]
        raise ProductError(unknown("product", name, names, "`headwater product add FILE` adds one"))
    return found
