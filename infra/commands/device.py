"""`headwater device`: which devices there are, and what is known of them."""

import csv
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TypedDict, Unpack, get_args

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table

from edge.device_lines import (
    DEVICE_COLUMNS,
    Declared,
    cell,
    declaration,
    declared_device,
    device_declarations,
)
from infra.close_names import unknown
from infra.console import table_console
from infra.declaration_files import text_of
from infra.example_group import ExampleGroup
from infra.registry.book import Book, open_book
from infra.registry.secret_commands import credentials, enable, enrol_with_secrets, revoke, rotate
from telemetry.devices import Durability, device_to_dict
from telemetry.errors import DeviceError
from telemetry.settings import Settings

EXAMPLES = """\b
Examples:
  headwater device add meter.m1 --zone north --lat 48.137 --lng 11.575
  headwater device import fleet.csv        columns device, product, zone, customer, lat, lng …
  headwater device list --product meter
  headwater device show meter.m1
  headwater device export fleet.ndjson

\b
Secrets, while the registry runs:
  headwater device credentials meter.m1 --issue    shown once
  headwater device rotate meter.m1                 the one before lives on for 90 days
  headwater device revoke meter.m1
  headwater device enable meter.m1
"""
TENANT = "default"
SHOWN = 50
EXPORTED = [name for name in DEVICE_COLUMNS if name not in ("device", "product")]
CONSUMER = "consumer: quicker, and outside the promise of durability."


class Fields(TypedDict):
    """What is known of a device."""

    product: str | None
    tenant: str
    zone: str | None
    customer: str | None
    lat: float | None
    lng: float | None
    firmware: str | None
    durability: str | None


@click.group(cls=ExampleGroup, epilog=EXAMPLES)
def device() -> None:
    """Add, import and show devices, and give them secrets."""


for command in (credentials, rotate, revoke, enable):
    device.add_command(command)


@device.command(epilog="\b\nExamples:\n  headwater device add meter.m1 --zone north\n"
                       "  headwater device add meter.m1 --durability consumer\n")  # fmt: skip
@click.argument("name")
@click.option("--product", help="Product, if NAME has no dot.")
@click.option("--tenant", default=TENANT, show_default=True, help="Who owns it.")
@click.option("--zone", help="Zone, such as a quarter or a hall.")
@click.option("--customer", help="Customer.")
@click.option("--lat", type=click.FloatRange(-90, 90), help="Latitude in degrees.")
@click.option("--lng", type=click.FloatRange(-180, 180), help="Longitude in degrees.")
@click.option("--firmware", help="Firmware version.")
@click.option("--durability", type=click.Choice(get_args(Durability)), help=CONSUMER)
def add(name: str, **fields: Unpack[Fields]) -> None:
    """Enrol device NAME, or change of it what is given here."""
    given = {field: value for field, value in fields.items() if value is not None}
    declared = declared_device({"device": name, **given}, None)
    book = open_book(Settings())
    _check_product(book, declared.device.product, declared.device.tenant)
    written = book.enrol([declared], lambda _count: None)
    said = "written" if written else "as it was"
    click.echo(f"{declared.device.device_full}: {said}", err=True)


def _check_product(book: Book, product: str, tenant: str) -> None:
    names = [key for whose, key in book.products() if whose == tenant]
    if product not in {*names, "default"}:
        fix = "`headwater product add FILE` adds one"
        raise DeviceError(unknown("product", product, names, fix))


@device.command("import", epilog="\b\nExamples:\n"
                "  headwater device import fleet.csv --product meter\n"
                "  headwater device import fleet.csv --secrets secrets.csv\n")  # fmt: skip
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--product", help="Product of names without a dot and without a product.")
@click.option("--tenant", default=TENANT, show_default=True,
              help="Who owns those whose line names no tenant.")  # fmt: skip
@click.option("--secrets", type=click.Path(dir_okay=False, path_type=Path),
              help="Issue secrets to devices without one, and add them to this file.")  # fmt: skip
def import_(file: Path, product: str | None, tenant: str, secrets: Path | None) -> None:
    """Enrol the devices of FILE, NDJSON or CSV; a wrong line leaves the registry as it was."""
    devices = list(_declared(file, product, tenant))
    settings = Settings()
    book = open_book(settings)
    products = {key for tenant, key in book.products()} | {"default"}
    for declared in (one.device for one in devices):
        if declared.product not in products:
            _check_product(book, declared.product, declared.tenant)
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("importing", total=len(devices))
        advance = partial(progress.advance, task)
        if secrets:
            written = enrol_with_secrets(settings, devices, secrets, advance)
        else:
            written = book.enrol(devices, advance)
    click.echo(json.dumps({"read": len(devices), "written": written}))


def _declared(file: Path, product: str | None, tenant: str) -> Iterator[Declared]:
    for number, fields in device_declarations(str(file), text_of(file)):
        try:
            yield declared_device({**fields, "tenant": fields.get("tenant") or tenant}, product)
        except DeviceError as error:
            raise DeviceError(f"{file}, line {number}: {error}") from error


@device.command(epilog="\b\nExample:\n  headwater device show meter.m1\n")
@click.argument("name")
@click.option("--tenant", default=TENANT, show_default=True, help="Who owns it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(name: str, tenant: str, as_json: bool) -> None:
    """Show one device."""
    book = open_book(Settings())
    found = book.device(name, tenant)
    if found is None:
        names = [each.device.device_full for each in book.devices(tenant)]
        raise DeviceError(unknown("device", name, names, "`headwater device add` adds one"))
    is_disabled = book.is_disabled(name, tenant)
    fields = device_to_dict(found) | {"durability": found.durability or "industrial"}
    fields["state"] = "disabled" if is_disabled else "enabled"
    if as_json:
        click.echo(json.dumps(fields, indent=2))
        return
    for field, value in fields.items():
        click.echo(f"{field:<12}{value}")


@device.command("list", epilog="\b\nExamples:\n  headwater device list --product meter\n"
                "  headwater device list --json | jq .zone\n")  # fmt: skip
@click.option("--product", help="Only devices of this product.")
@click.option("--tenant", default=TENANT, show_default=True, help="Whose devices.")
@click.option("--limit", default=SHOWN, show_default=True, help="How many; JSON has all.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, an object a line.")
def list_(product: str | None, tenant: str, limit: int, as_json: bool) -> None:
    """List devices."""
    book = open_book(Settings())
    devices = (each.device for each in book.devices(tenant))
    found = [each for each in devices if product in (None, each.product)]
    if product and not found:
        _check_product(book, product, tenant)
    if as_json:
        for each in found:
            click.echo(json.dumps(device_to_dict(each)))
        return
    table = Table("device", "zone", "customer", "lat", "lng", "firmware")
    for each in found[:limit]:
        place = ["" if angle is None else f"{angle:.5f}" for angle in (each.lat, each.lng)]
        words = [each.zone or "", each.customer or "", *place, each.firmware or ""]
        table.add_row(each.device_full, *words)
    table_console().print(table)
    if len(found) > limit:
        click.echo(f"{len(found) - limit:,} more: --limit {len(found)}", err=True)


@device.command(epilog="\b\nExample:\n  headwater device export fleet.csv\n")
@click.argument("file", type=click.Path(dir_okay=False, writable=True, path_type=Path))
@click.option("--tenant", default=TENANT, show_default=True, help="Whose devices.")
def export(file: Path, tenant: str) -> None:
    """Write all devices to FILE, CSV if it is named so, else NDJSON; `import` reads it again."""
    rows = []
    columns = SpinnerColumn(), TextColumn("exporting {task.completed:,.0f} devices")
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("")
        for each in open_book(Settings()).devices(tenant):
            rows.append(declaration(each))
            progress.advance(task)
    with file.open("w", encoding="utf-8", newline="") as written:
        if file.suffix == ".csv":
            writer = csv.DictWriter(written, EXPORTED, lineterminator="\n")
            writer.writeheader()
            cells = ({name: cell(value) for name, value in row.items()} for row in rows)
            writer.writerows(cells)
        else:
            written.writelines(json.dumps(row) + "\n" for row in rows)
    click.echo(json.dumps({"written": len(rows)}))
