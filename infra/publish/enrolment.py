"""Enrolment of what publish brings: products of history with a guessed schema, and devices."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from edge.registry_files import RegistryFiles
from infra.publish.options import MetricOptions, PublishOptions
from infra.publish.plan import FilePlan
from telemetry.devices import Device, split_full_name
from telemetry.errors import HeadwaterError
from telemetry.products import (
    DEFAULT_PRODUCT,
    Metric,
    MetricType,
    Product,
    SchemaVersion,
    history_product,
    product_from_dict,
)

_UNIT = re.compile(r"\[([^\]]+)\]\s*$")
_TENANT = "default"


def product_key(options: PublishOptions) -> str:
    """Return the product that all devices of this call are of, as far as the options say."""
    if options.product:
        return options.product
    return split_full_name(options.device)[0] if options.device else DEFAULT_PRODUCT.key


def agreed(plans: Sequence[FilePlan], known: Product | None) -> list[FilePlan]:
    """Give a metric one type in all files: the known schema's, or what the files together allow."""
    types: dict[str, MetricType] = {}
    for plan in plans:
        for name, kind in (plan.layout.metrics if plan.layout else {}).items():
            types[name] = kind if types.get(name, kind) == kind else "string"
    if known and known.newest_first:
        schema = known.newest_first[0].metrics
        types |= {name: schema[name].type for name in types if name in schema}
    return [_with_types(plan, types) for plan in plans]


def _with_types(plan: FilePlan, types: Mapping[str, MetricType]) -> FilePlan:
    if plan.layout is None:
        return plan
    metrics = {name: types[name] for name in plan.layout.metrics}
    return replace(plan, layout=replace(plan.layout, metrics=metrics))


def enrolled_product(key: str, plans: Sequence[FilePlan], options: MetricOptions) -> Product:
    """Return the history product for these files; raw lines and messages give it no schema."""
    types = {name: kind for plan in plans if plan.layout for name, kind in _types(plan)}
    for name in options.units:
        if name not in types:
            raise HeadwaterError(f"--unit {name}=…: there is no metric column {name!r}")
    if not types:
        return product_from_dict({"product": key}) and history_product(key)
    metrics = {name: _metric(name, kind, options) for name, kind in types.items()}
    return history_product(key, (SchemaVersion(1, metrics),))


def _types(plan: FilePlan) -> Iterable[tuple[str, MetricType]]:
    return plan.layout.metrics.items() if plan.layout else ()


def _metric(name: str, kind: MetricType, options: MetricOptions) -> Metric:
    unit = _UNIT.search(name)
    is_number = kind in ("double", "int")
    return Metric(
        name=name,
        type=kind,
        unit=options.units.get(name, unit[1] if unit else None),
        sentinels=tuple(
            sentinel
            for sentinel in options.sentinels
            if isinstance(sentinel, str) != is_number and kind != "bool"
        ),
    )


class Enrolment:
    """Enrols devices, and products of names with a dot, before their first record is sent.

    The `product` of the call waits for the first line that can be read: a file that was misread
    as a whole leaves nothing behind.
    """

    def __init__(self, files: RegistryFiles, product: Product | None = None) -> None:
        self._files = files
        self._product = product
        self._products = {key for tenant, key in files.products() if tenant == _TENANT}
        self._devices = {d.device_full for d in files.devices() if d.tenant == _TENANT}
        self.new_devices = 0

    def enrol(self, devices: set[str]) -> bool:
        """Enrol those that are not known; return whether there were any."""
        is_new = bool(devices and self._product)
        if devices and self._product:
            self._files.put_product(self._product)
            self._products.add(self._product.key)
            self._product = None
        new = devices - self._devices
        if not new:
            return is_new
        for key in {split_full_name(name)[0] for name in new} - self._products:
            self._files.put_product(history_product(key))
            self._products.add(key)
        enrolled = (Device(name, tenant=_TENANT) for name in sorted(new))
        self.new_devices += self._files.enrol(enrolled, keep_known=True)
        self._devices |= new
        return True
