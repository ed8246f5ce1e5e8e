"""The devices of a run: names, places on the map, and the registry entries that make them known."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from edge.registry_files import RegistryFiles
from simulator.models import Model, load_model
from simulator.physics import Floats, Indexes
from simulator.scenarios import Scenario
from telemetry.devices import Device, full_name
from telemetry.errors import HeadwaterError
from telemetry.products import DEFAULT_PRODUCT, Product

ZONES = Path(__file__).parent / "zones.json"
SPREAD_DEG = 0.012
_PLACES_SEED = 20


@dataclass(frozen=True, slots=True)
class Fleet:
    """All devices of a run; those of one model stand together, `starts` says where they begin."""

    models: tuple[Model, ...]
    starts: tuple[int, ...]
    devices: tuple[Device, ...]
    order: Indexes
    model_of: Indexes
    lat: Floats
    lng: Floats
    tags: tuple[Mapping[str, str], ...]

    def size_of(self, place: int) -> int:
        """Return how many devices the model at `place` has."""
        return int((self.model_of == place).sum())

    def __len__(self) -> int:
        return len(self.devices)


def build_fleet(scenario: Scenario, count: int, seed: int, first: int = 0) -> Fleet:
    """Build a fleet of `count` devices; a name stands at the same place in every run.

    Each model's devices are numbered from `first` on.
    """
    models = tuple(load_model(key) for key in scenario.fleet)
    sizes = _sizes(list(scenario.fleet.values()), count)
    devices = [
        device
        for model, size in zip(models, sizes, strict=True)
        for device in model_devices(model, first, size)
    ]
    starts = tuple(int(start) for start in np.cumsum([0, *sizes[:-1]]))
    return Fleet(
        models=models,
        starts=starts,
        devices=tuple(devices),
        order=np.random.default_rng([seed, 1]).permutation(count),
        model_of=np.repeat(np.arange(len(models)), sizes),
        lat=np.array([device.lat for device in devices], dtype=np.float64),
        lng=np.array([device.lng for device in devices], dtype=np.float64),
        tags=tuple(
            {name: words[index % len(words)] for name, words in model.tags.items()}
            for model, size in zip(models, sizes, strict=True)
            for index in range(first, first + size)
        ),
    )


def _sizes(shares: list[float], count: int) -> list[int]:
    if count < len(shares):
        raise HeadwaterError(f"this scenario needs at least {len(shares)} devices: --devices N")
    total = sum(shares)
    ends = [0, *(round(float(end) / total * count) for end in np.cumsum(shares))]
    sizes = [end - start for start, end in pairwise(ends)]
    while min(sizes) == 0:
        sizes[sizes.index(0)] += 1
        sizes[sizes.index(max(sizes))] -= 1
    return sizes


def model_devices(model: Model, first: int, count: int) -> list[Device]:
    """Return `count` devices of a model, from number `first` on."""
    zones = list(json.loads(ZONES.read_text()).items())
    rng = np.random.default_rng([_PLACES_SEED, *model.key.encode()])
    drawn = rng.normal(size=(first + count, 3))[first:]
    north_east = np.round(drawn[:, :2] * SPREAD_DEG, 5).tolist()
    zone_of = np.floor(np.abs(drawn[:, 2]) * 1000).astype(int) % len(zones)
    devices = []
    found = zip(zone_of.tolist(), north_east, strict=True)
    for index, (zone, (north, east)) in enumerate(found, first):
        name, (lat, lng) = zones[zone]
        devices.append(
            Device(
                device_full=full_name(model.product.key, f"{model.key}-{index:05d}"),
                zone=name,
                customer=f"customer-{index % 20:02d}",
                lat=round(lat + north, 5),
                lng=round(lng + east, 5),
                firmware="1.0.0",
            )
        )
    return devices


def enrol(fleet: Fleet, registry: RegistryFiles, *, upgraded: bool) -> dict[str, Product]:
    """Make products and devices known, and return each model's product as the registry has it.

    What a person has set on a product (its lateness, say) stays as it is; a product of the same
    name with another schema is refused.
    """
    registry.enrol(fleet.devices, keep_known=True)
    return {
        model.product.key: replace(
            _declare(model, registry, upgraded), versions=model.product.versions
        )
        for model in fleet.models
    }


def _declare(model: Model, registry: RegistryFiles, upgraded: bool) -> Product:
    ours = model.product
    known = registry.products().get((ours.tenant, ours.key))
    if known is not None and ours.key == DEFAULT_PRODUCT.key:
        return known
    wanted = ours.versions if upgraded else ours.versions[:1]
    held = {version.version: version for version in known.versions} if known else {}
    if any(held.get(each.version, each) != each for each in ours.versions):
        raise HeadwaterError(
            f"product {ours.key} has another schema in this registry: use another HEADWATER_HOME"
        )
    versions = {each.version: each for each in wanted} | held
    product = replace(known or ours, versions=tuple(versions[each] for each in sorted(versions)))
    registry.put_product(product)
    return product
