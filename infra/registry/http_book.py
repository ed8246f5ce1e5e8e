"""Products and devices in the registry that runs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import cast

import orjson

from edge.device_lines import Declared, declaration, known
from infra.service_client import Json, Parameters, ServiceClient, ServiceError
from telemetry.devices import Device, device_from_dict
from telemetry.products import DEFAULT_PRODUCT, Product, product_from_dict, product_to_dict

NOT_FOUND = 404
MOST_BYTES = 32 * 1024 * 1024
"""Of one import; the registry takes twice as much."""
Advance = Callable[[int], None]
TakeIssued = Callable[[Sequence[Json]], None]


class HttpBook:
    """The registry over HTTP."""

    def __init__(self, client: ServiceClient) -> None:
        self.client = client

    def products(self) -> Mapping[tuple[str, str], Product]:
        """Return all products by tenant and key; `default` is there though nobody added it."""
        found = {(DEFAULT_PRODUCT.tenant, DEFAULT_PRODUCT.key): DEFAULT_PRODUCT}
        for tenant in _list(self.client.ask("GET", "/v1/tenants")):
            named = {"tenant": str(tenant["tenant"])}
            for one in _list(self.client.ask("GET", "/v1/products", None, named)):
                product = product_from_dict(cast(Json, one["declaration"]))
                found[product.tenant, product.key] = product
        return found

    def put_product(self, product: Product) -> bool:
        """Put a product in force; return False if it stood there already."""
        declaration = product_to_dict(product)
        path, named = f"/v1/products/{product.key}", {"tenant": product.tenant}
        said = {key: declaration[key] for key in declaration if key not in ("product", "tenant")}
        before = self._edition(path, named)
        after = cast(Json, self.client.ask("PUT", path, said, named))
        return after["edition"] != before

    def _edition(self, path: str, named: Mapping[str, str]) -> object:
        try:
            return cast(Json, self.client.ask("GET", path, None, named))["edition"]
        except ServiceError as error:
            if error.status != NOT_FOUND:
                raise
            return None

    def device(self, device_full: str, tenant: str) -> Device | None:
        """Return a device."""
        found = self._found(device_full, tenant)
        return device_from_dict(found) if found else None

    def is_disabled(self, device_full: str, tenant: str) -> bool:
        """Say whether a device is let in no more."""
        found = self._found(device_full, tenant)
        return found is not None and bool(found["is_disabled"])

    def _found(self, device_full: str, tenant: str) -> Json | None:
        try:
            found = self.client.ask("GET", f"/v1/devices/{device_full}", None, {"tenant": tenant})
        except ServiceError as error:
            if error.status != NOT_FOUND:
                raise
            return None
        return cast(Json, found)

    def devices(self, tenant: str) -> Iterator[Declared]:
        """Yield a tenant's devices, and which of them are disabled."""
        for line in self.client.lines("GET", "/v1/export", None, {"tenant": tenant}):
            yield known(device_from_dict(line), cast(bool | None, line.get("is_disabled")))

    def enrol(self, devices: Sequence[Declared], advance: Advance) -> int:
        """Enrol devices, and count those that were new or changed."""
        return import_devices(self.client, devices, advance)


def _list(found: object) -> list[Json]:
    return cast(list[Json], found)


def import_devices(
    client: ServiceClient,
    devices: Sequence[Declared],
    advance: Advance,
    take_issued: TakeIssued | None = None,
) -> int:
    """Import devices tenant by tenant; new secrets, if they are wanted, are handed over."""
    written = 0
    for tenant in sorted({each.device.tenant for each in devices}):
        asked: Parameters = {"tenant": tenant, "with_secrets": take_issued is not None}
        for content in imports_of([each for each in devices if each.device.tenant == tenant]):
            read, written_here = 0, 0
            for line in client.lines("POST", "/v1/imports", content, asked):
                if take_issued:
                    take_issued(cast(list[Json], line["issued"]))
                advance(cast(int, line["read"]) - read)
                read, written_here = cast(int, line["read"]), cast(int, line["written"])
            written += written_here
    return written


def imports_of(devices: Sequence[Declared], most_bytes: int = MOST_BYTES) -> Iterator[bytes]:
    """Yield devices as lines, in as many imports as their bytes ask for."""
    content = bytearray()
    for each in devices:
        line = orjson.dumps(declaration(each)) + b"\n"
        if content and len(content) + len(line) > most_bytes:
            yield bytes(content)
            content.clear()
        content += line
    if content:
        yield bytes(content)
