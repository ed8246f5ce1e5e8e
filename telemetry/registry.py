"""What is known of products and devices when a message is judged."""

import bisect
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from telemetry.devices import FIRST_VALID_FROM, Device
from telemetry.products import DEFAULT_PRODUCT, Product

_ALWAYS = -(2**63)


class _History(NamedTuple):
    starts: tuple[int, ...]
    versions: tuple[Device, ...]


class Registry:
    """Products, devices with their history, and the types that first use has fixed."""

    def __init__(
        self,
        products: Iterable[Product],
        devices: Iterable[Device],
        first_use: Mapping[tuple[str, str], Mapping[str, str]] | None = None,
    ) -> None:
        """Take every version of every device; `first_use`: (tenant, product) → metric → type."""
        self.products = {(product.tenant, product.key): product for product in products}
        self.first_use = {key: dict(types) for key, types in (first_use or {}).items()}
        histories: dict[tuple[str, str], list[Device]] = {}
        for device in devices:
            histories.setdefault((device.tenant, device.device_full), []).append(device)
        self._histories = {key: _history(versions) for key, versions in histories.items()}

    def product(self, tenant: str, key: str) -> Product | None:
        """Return the product; every tenant has a product `default` of its own."""
        found = self.products.get((tenant, key))
        return _default_of(tenant) if found is None and key == DEFAULT_PRODUCT.key else found

    def versions(self, tenant: str, device_full: str) -> tuple[Device, ...]:
        """Return all versions of a device in their order, none for an unknown device."""
        history = self._histories.get((tenant, device_full))
        return history.versions if history else ()

    def device_at(self, tenant: str, device_full: str, event_time: int) -> Device | None:
        """Return the device as it was at `event_time`, or None for an unknown device."""
        history = self._histories.get((tenant, device_full))
        if history is None:
            return None
        return history.versions[max(0, bisect.bisect_right(history.starts, event_time) - 1)]


@lru_cache(maxsize=1024)
def _default_of(tenant: str) -> Product:
    return replace(DEFAULT_PRODUCT, tenant=tenant)


def _history(versions: list[Device]) -> _History:
    ordered = sorted(versions, key=_valid_from)
    return _History(tuple(_valid_from(version) for version in ordered), tuple(ordered))


def _valid_from(device: Device) -> int:
    if device.valid_from is None or device.valid_from <= FIRST_VALID_FROM:
        return _ALWAYS
    return int(device.valid_from.timestamp() * 1_000_000)
