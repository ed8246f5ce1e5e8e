"""`headwater device credentials|rotate|revoke|enable`: secrets, which the registry alone has."""

import csv
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TextIO, cast

import click
from rich.table import Table

from edge.device_lines import Declared
from infra.console import table_console
from infra.registry.book import is_registry_there
from infra.registry.http_book import import_devices
from infra.service_client import Json, ServiceClient, open_registry
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

TENANT = "default"
OVERLAP = "How long the secret before lives on; default HEADWATER_ROTATION_OVERLAP_D."
TRIPLE = ("product_key", "device_name", "secret")
SECRET_COLUMNS = ("device_full", "credential_id", "secret")


def the_registry(settings: Settings) -> ServiceClient:
    """Return the registry that runs; raise if none does."""
    if not is_registry_there(settings):
        raise HeadwaterError("secrets are the registry's, and it does not run: `headwater up`")
    return open_registry(settings)


@click.command(epilog="\b\nExamples:\n  headwater device credentials meter.m1\n"
                      "  headwater device credentials meter.m1 --issue\n")  # fmt: skip
@click.argument("name")
@click.option("--tenant", default=TENANT, show_default=True, help="Who owns it.")
@click.option("--issue", is_flag=True, help="Issue a secret, and show it this once.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def credentials(name: str, tenant: str, issue: bool, as_json: bool) -> None:
    """List the secrets of device NAME, or issue one; a device has two at most."""
    client, path = the_registry(Settings()), f"/v1/devices/{name}/credentials"
    if issue:
        _show(cast(Json, client.ask("POST", path, {}, {"tenant": tenant})), as_json)
        return
    found = cast(list[Json], client.ask("GET", path, None, {"tenant": tenant}))
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    table = Table("credential", "state", "valid from", "valid until")
    for each in found:
        words = [str(each[field] or "") for field in ("valid_from", "valid_until")]
        table.add_row(str(each["credential_id"]), str(each["state"]), *words)
    table_console().print(table)


@click.command(epilog="\b\nExample:\n  headwater device rotate meter.m1 --overlap-days 7\n")
@click.argument("name")
@click.option("--tenant", default=TENANT, show_default=True, help="Who owns it.")
@click.option("--overlap-days", type=click.FloatRange(0, 3650), help=OVERLAP)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rotate(name: str, tenant: str, overlap_days: float | None, as_json: bool) -> None:
    """Issue a new secret to device NAME; the one before lives on for the overlap."""
    path = f"/v1/devices/{name}/credentials/rotate"
    asked = {"overlap_d": overlap_days}
    found = the_registry(Settings()).ask("POST", path, asked, {"tenant": tenant})
    _show(cast(Json, found), as_json)


def _show(issued: Json, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(issued, indent=2))
        return
    for field in TRIPLE:
        click.echo(f"{field:<12}{issued[field]}")
    click.echo("The secret is shown this once; the registry keeps it sealed.", err=True)


@click.command(epilog="\b\nExamples:\n  headwater device revoke meter.m1\n"
                      "  headwater device revoke meter.m1 --credential 0a1b2c3d4e5f\n")  # fmt: skip
@click.argument("name")
@click.option("--tenant", default=TENANT, show_default=True, help="Who owns it.")
@click.option("--credential", help="Only this secret; the device stays enabled.")
def revoke(name: str, tenant: str, credential: str | None) -> None:
    """Disable device NAME and revoke its secrets and certificates for good."""
    client, named = the_registry(Settings()), {"tenant": tenant}
    if credential:
        client.ask("DELETE", f"/v1/devices/{name}/credentials/{credential}", None, named)
        click.echo(f"{name}: {credential} revoked", err=True)
    else:
        client.ask("POST", f"/v1/devices/{name}/revoke", None, named)
        click.echo(f"{name}: revoked", err=True)


@click.command(epilog="\b\nExample:\n  headwater device enable meter.m1\n")
@click.argument("name")
@click.option("--tenant", default=TENANT, show_default=True, help="Who owns it.")
def enable(name: str, tenant: str) -> None:
    """Let device NAME connect again; a revoked one needs a new secret."""
    client, named = the_registry(Settings()), {"tenant": tenant}
    client.ask("POST", f"/v1/devices/{name}/enable", None, named)
    held = cast(list[Json], client.ask("GET", f"/v1/devices/{name}/credentials", None, named))
    click.echo(f"{name}: enabled", err=True)
    if not any(each["state"] == "live" for each in held):
        whose = "" if tenant == TENANT else f" --tenant {tenant}"
        fix = f"headwater device credentials {name} --issue{whose}"
        click.echo(f"It has no secret: {fix}", err=True)


def enrol_with_secrets(
    settings: Settings, devices: Sequence[Declared], path: Path, advance: Callable[[int], None]
) -> int:
    """Enrol devices and add the secrets of those that had none to a file for its owner's eyes.

    Secrets are shown once: those that an import before, broken off maybe, wrote there stay.
    """
    client = the_registry(settings)
    with _secrets_file(path) as file:
        writer = csv.DictWriter(file, SECRET_COLUMNS, extrasaction="ignore", lineterminator="\n")

        def keep(issued: Sequence[Json]) -> None:
            writer.writerows(issued)
            file.flush()
            os.fsync(file.fileno())

        return import_devices(client, devices, advance, keep)


def _secrets_file(path: Path) -> TextIO:
    """Open a file behind the secrets in it; raise if it holds anything else."""
    head = ",".join(SECRET_COLUMNS) + "\n"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise HeadwaterError(f"--secrets {path}: {error}") from error
    file = os.fdopen(handle, "r+", encoding="utf-8", errors="replace", newline="")
    before = file.read()
    if before and not before.startswith(head):
        file.close()
        raise HeadwaterError(f"--secrets {path} holds something else: name another file")
    os.fchmod(handle, 0o600)
    if not before:
        file.write(head)
    elif not before.endswith("\n"):
        file.write("\n")  # a writer was killed in its last line
    return file
