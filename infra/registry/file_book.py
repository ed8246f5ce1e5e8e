"""Products and devices in the files of a home whose registry does not run."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from edge.device_lines import Declared, known, merged
from edge.registry_files import RegistryFiles
from telemetry.compatibility import evolution_breaks
from telemetry.devices import Device
from telemetry.errors import DeviceError, ProductError
from telemetry.products import Product

GROUP = 20_000
DISABLES = "is_disabled is the registry's to keep, and it does not run: `headwater up`"


class FileBook:
    """The files, which a registry takes up when it starts."""

    def __init__(self, root: Path) -> None:
        self._files = RegistryFiles(root)

    def products(self) -> Mapping[tuple[str, str], Product]:
        """Return all products by tenant and key."""
        return self._files.products()

    def put_product(self, product: Product) -> bool:
        """Put a product in force; return False if it stood there already."""
        before = self._files.products().get((product.tenant, product.key))
        if found := evolution_breaks(before, product):
            raise ProductError(f"product {product.key} is not {product.compatibility}: {found[0]}")
        return self._files.put_product(product)

    def device(self, device_full: str, tenant: str) -> Device | None:
        """Return a device."""
        return self._files.device(device_full, tenant)

    def is_disabled(self, _device_full: str, _tenant: str) -> bool:
        """Say no: only the registry disables devices."""
        return False

    def devices(self, tenant: str) -> Iterator[Declared]:
        """Yield a tenant's devices; of none it is known here that it is disabled."""
        return (known(device) for device in self._files.devices() if device.tenant == tenant)

    def enrol(self, devices: Sequence[Declared], advance: Callable[[int], None]) -> int:
        """Enrol devices, and count those that were new or changed."""
        for one in devices:
            if one.is_disabled:
                raise DeviceError(f"device {one.device.device_full}: {DISABLES}")
        written = 0
        for start in range(0, len(devices), GROUP):
            group = devices[start : start + GROUP]
            before = {(each.tenant, each.device_full): each for each in self._files.devices()}
            written += self._files.enrol(merged(group, before))
            advance(len(group))
        return written
