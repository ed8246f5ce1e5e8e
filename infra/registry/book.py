"""Who knows products and devices: the registry that runs, else the files of the home."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from edge.device_lines import Declared
from infra.probes import port_complaint
from infra.registry.file_book import FileBook
from infra.registry.http_book import HttpBook
from infra.service_client import open_registry
from telemetry.devices import Device
from telemetry.products import Product
from telemetry.settings import Settings

Advance = Callable[[int], None]


class Book(Protocol):
    """Products and devices, wherever they are kept."""

    def products(self) -> Mapping[tuple[str, str], Product]:
        """Return all products by tenant and key."""

    def put_product(self, product: Product) -> bool:
        """Put a product in force; return False if it stood there already."""

    def device(self, device_full: str, tenant: str) -> Device | None:
        """Return a device."""

    def is_disabled(self, device_full: str, tenant: str) -> bool:
        """Say whether a device is let in no more."""

    def devices(self, tenant: str) -> Iterator[Declared]:
        """Yield a tenant's devices, and which of them are disabled."""

    def enrol(self, devices: Sequence[Declared], advance: Advance) -> int:
        """Enrol devices, and count those that were new or changed."""


def open_book(settings: Settings) -> Book:
    """Return the registry if it runs, else the files."""
    if is_registry_there(settings):
        return HttpBook(open_registry(settings))
    return FileBook(settings.registry_dir)


def is_registry_there(settings: Settings) -> bool:
    """Say whether commands have a registry to speak with: one named, or this home's, running."""
    if settings.registry_url:
        return True
    was_started = settings.registry_admin_key_file.exists()
    return was_started and port_complaint(settings.port("registry")) is None
