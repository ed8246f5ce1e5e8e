"""What is known of products, devices and first uses, for judging again: read, never written."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from edge.registry_files import RegistryFiles
from spark_jobs.lake import Lake
from spark_jobs.transforms.device_history import changed, grown, history_of, unheard_since
from spark_jobs.transforms.first_use import Types
from spark_jobs.transforms.fleet import Fleet
from telemetry.devices import Device
from telemetry.products import Product
from telemetry.settings import Settings
from telemetry.tables import DEVICES, FIRST_USE


@dataclass(frozen=True, slots=True)
class Known:
    """Products of now, devices with their history, and types as first use was recorded."""

    products: tuple[Product, ...]
    devices: tuple[Device, ...]
    types: Types

    def fleet(self) -> Fleet:
        """Return the registry to judge by."""
        return Fleet.of(self.products, self.devices, self.types)

    def with_types(self, fixed: pl.DataFrame) -> "Known":
        """Return what is known once rows of `ops.first_use` are added."""
        return Known(self.products, self.devices, _types(fixed, self.types))


def known(settings: Settings, lake: Lake, now: datetime) -> Known:
    """Return what landing would judge by now: registrations that it has not seen yet as well."""
    files = RegistryFiles(settings.registry_dir, leaves_wrong=True)
    recorded = lake.scan(DEVICES).sort("valid_from").collect()
    history = history_of(recorded.iter_rows(named=True))
    newest = recorded["valid_from"].max()
    files.keep_passed(unheard_since(newest if isinstance(newest, datetime) else None))
    after = grown(history, changed(history, files.devices(), now, files.passed()))
    return Known(
        tuple(files.products().values()),
        tuple(_versions(after)),
        _types(lake.scan(FIRST_USE).collect(), {}),
    )


def _versions(history: Mapping[tuple[str, str], Iterable[Device]]) -> Iterable[Device]:
    return (version for versions in history.values() for version in versions)


def _types(uses: pl.DataFrame, before: Types) -> Types:
    types = {key: dict(metrics) for key, metrics in before.items()}
    for tenant, product, metric, type_ in uses.select(
        "tenant", "product", "metric", "type"
    ).iter_rows():
        types.setdefault((tenant, product), {}).setdefault(metric, type_)
    return types
