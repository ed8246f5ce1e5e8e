"""`headwater device`: which devices there are, and what is known of them."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TypedDict, Unpack

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from edge.registry_files import RegistryFiles
from infra.close_names import unknown
from infra.console import table_console
from infra.declaration_files import device_declarations
from telemetry.devices import Device, device_from_dict, device_to_dict
from telemetry.errors import DeviceError
from telemetry.settings import Settings

EXAMPLES = """\b
Examples:
  headwater device add meter.m1 --zone north --lat 48.137 --lng 11.575
  headwater device import fleet.csv        columns device, product, zone, customer, lat, lng …
  headwater device list --product meter
  headwater device show meter.m1
"""
TENANT = "default"
GROUP = 20_000
SHOWN = 50


class Fields(TypedDict):
    """What is known of a device."""

    product: str | None
    tenant: str
    zone: str | None
    customer: str | None
    lat: float | None
    lng: float | None
    firmware: str | None


@click.group(epilog=EXAMPLES)
def device() -> None:
    """Add, import and show devices."""


@device.command()
@click.argument("name")
@click.option("--product", help="Product, if NAME has no dot.")
@click.option("--tenant", default=TENANT, show_default=True, help="Who owns it.")
@click.option("--zone", help="Zone, such as a quarter or a hall.")
@click.option("--customer", help="Customer.")
@click.option("--lat", type=click.FloatRange(-90, 90), help="Latitude in degrees.")
@click.option("--lng", type=click.FloatRange(-180, 180), help="Longitude in degrees.")
@click.option("--firmware", help="Firmware version.")
def add(name: str, **fields: Unpack[Fields]) -> None:
    """Enrol device NAME, or change of it what is given here."""
    declared = device_from_dict({"device": name, **fields})
    registry = _registry()
    _check_product(registry, declared)
    known = registry.device(declared.device_full, declared.tenant)
    before = device_to_dict(known) if known else {}
    written = registry.enrol([device_from_dict({**before, **device_to_dict(declared)})])
    click.echo(f"{declared.device_full}: {'written' if written else 'as it was'}", err=True)


def _check_product(registry: RegistryFiles, declared: Device) -> None:
    names = [key for tenant, key in registry.products() if tenant == declared.tenant]
    if declared.product not in {*names, "default"}:
        fix = "`headwater product add FILE` adds one"
        raise DeviceError(unknown("product", declared.product, names, fix))


@device.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--product", help="Product of names without a dot and without a product.")
def import_(file: Path, product: str | None) -> None:
    """Enrol the devices of FILE, NDJSON or CSV; a wrong line leaves the registry as it was."""
    devices = list(_declared(file, product))
    registry = _registry()
    products = {key for tenant, key in registry.products()} | {"default"}
    for declared in devices:
        if declared.product not in products:
            _check_product(registry, declared)
    written = 0
    waiting = iter(devices)
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("importing", total=len(devices))
        while group := list(islice(waiting, GROUP)):
            written += registry.enrol(group)
            progress.advance(task, len(group))
    click.echo(json.dumps({"read": len(devices), "written": written}))


def _declared(file: Path, product: str | None) -> Iterator[Device]:
    for number, fields in device_declarations(file):
        given = {**fields, "product": fields.get("product") or product}
        try:
            yield device_from_dict(given)
        except DeviceError as error:
            raise DeviceError(f"{file}, line {number}: {error}") from error


@device.command()
@click.argument("name")
@click.option("--tenant", default=TENANT, show_default=True, help="Who owns it.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(name: str, tenant: str, as_json: bool) -> None:
    """Show one device."""
    registry = _registry()
    found = registry.device(name, tenant)
    if found is None:
        names = [each.device_full for each in registry.devices() if each.tenant == tenant]
        raise DeviceError(unknown("device", name, names, "`headwater device add` adds one"))
    fields = device_to_dict(found)
    if as_json:
        click.echo(json.dumps(fields, indent=2))
        return
    for field, value in fields.items():
        click.echo(f"{field:<12}{value}")


@device.command("list")
@click.option("--product", help="Only devices of this product.")
@click.option("--tenant", default=TENANT, show_default=True, help="Whose devices.")
@click.option("--limit", default=SHOWN, show_default=True, help="How many; JSON has all.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, an object a line.")
def list_(product: str | None, tenant: str, limit: int, as_json: bool) -> None:
    """List devices."""
    found = [
        each
        for each in _registry().devices()
        if each.tenant == tenant and product in (None, each.product)
    ]
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


def _registry() -> RegistryFiles:
    return RegistryFiles(Settings().registry_dir)
