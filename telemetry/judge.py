"""The judgement of a message: decode, device, schema, clock; then late or not.

Duplicates are judged after this, by whoever knows what was there before.
"""

import bisect
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import lru_cache
from typing import NamedTuple

from telemetry.devices import FIRST_VALID_FROM, Device, split_full_name
from telemetry.message import Decoded, Message, Reason, decode, message_key, shown
from telemetry.products import DEFAULT_PRODUCT, Metric, Product, SchemaVersion
from telemetry.records import Record, Sender, sender

_MICROSECOND = timedelta(microseconds=1)
_ALWAYS = -(2**63)


class Reading(NamedTuple):
    """One metric's value; exactly one of the values is set, none for a sentinel."""

    metric: str
    value: float | None
    value_text: str | None
    value_bool: bool | None
    unit: str | None
    quality: str


class Judged(NamedTuple):
    """A message with its verdict: rejected if it has reasons; times in microseconds since 1970."""

    item: int
    items: int
    raw: bytes
    tenant: str
    device_full: str | None
    product: str | None
    boot: str
    seq: int
    device_time: int | None
    event_time: int
    received_at: int
    clock: str
    late: bool
    schema_version: int | None
    message: Message | None
    readings: tuple[Reading, ...]
    reasons: tuple[Reason, ...]
    device: Device | None


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
        """Return the product; every tenant has product `default`."""
        found = self.products.get((tenant, key))
        return DEFAULT_PRODUCT if found is None and key == DEFAULT_PRODUCT.key else found

    def device_at(self, tenant: str, device_full: str, event_time: int) -> Device | None:
        """Return the device as it was at `event_time`, or None for an unknown device."""
        history = self._histories.get((tenant, device_full))
        if history is None:
            return None
        return history.versions[max(0, bisect.bisect_right(history.starts, event_time) - 1)]


def _history(versions: list[Device]) -> _History:
    ordered = sorted(versions, key=_valid_from)
    return _History(tuple(_valid_from(version) for version in ordered), tuple(ordered))


def _valid_from(device: Device) -> int:
    if device.valid_from is None or device.valid_from <= FIRST_VALID_FROM:
        return _ALWAYS
    return int(device.valid_from.timestamp() * 1_000_000)


def judge(record: Record, registry: Registry, *, tolerance_us: int) -> list[Judged]:
    """Judge each message of a record, all but duplicates; never raises on what a device sent."""
    origin = sender(record)
    if origin.content_type.startswith("application/cbor"):
        decoded = [_unreadable(record.value or b"", origin.content_type)]
    else:
        decoded = decode(record.value)
    return [
        _judge(record, origin, item, len(decoded), found, registry, tolerance_us)
        for item, found in enumerate(decoded)
    ]


def _unreadable(raw: bytes, content_type: str) -> Decoded:
    return Decoded(raw, None, (Reason("", "content_type", content_type),))


def _judge(
    record: Record,
    origin: Sender,
    item: int,
    items: int,
    decoded: Decoded,
    registry: Registry,
    tolerance_us: int,
) -> Judged:
    message, reasons = decoded.message, decoded.reasons
    boot, seq = message_key(
        message,
        decoded.raw,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        item=item,
    )
    device_time = message.ts if message else None
    event_time, clock = clamp(device_time, origin.received_at, tolerance_us)
    tenant, name = origin.tenant, origin.device_full
    product = registry.product(tenant, split_full_name(name)[0]) if name else None
    device = registry.device_at(tenant, name, event_time) if name else None
    readings: tuple[Reading, ...] = ()
    version: int | None = None
    late = False
    if message is not None:
        reasons = _device_reasons(message, name, product, device)
        if not reasons and product is not None:
            version, readings, reasons = check(message.metrics, product, registry)
            if not reasons:
                delay = origin.received_at - event_time
                reasons = _age_reasons(product, delay, message)
                late = _exceeds(delay, product.lateness)
    return Judged(
        item=item,
        items=items,
        raw=decoded.raw,
        tenant=tenant,
        device_full=name,
        product=product.key if product else (split_full_name(name)[0] if name else None),
        boot=boot,
        seq=seq,
        device_time=device_time,
        event_time=event_time,
        received_at=origin.received_at,
        clock=clock,
        late=late and not reasons,
        schema_version=version,
        message=message,
        readings=() if reasons else readings,
        reasons=reasons,
        device=device,
    )


def clamp(device_time: int | None, received_at: int, tolerance_us: int) -> tuple[int, str]:
    """Return (event time, clock): min(device time, received_at + tolerance), or received_at."""
    if device_time is None:
        return received_at, "missing"
    latest = received_at + tolerance_us
    return (latest, "ahead") if device_time > latest else (device_time, "ok")


def _device_reasons(
    message: Message, name: str | None, product: Product | None, device: Device | None
) -> tuple[Reason, ...]:
    said = message.device
    if name is None:
        return (Reason("device", "unknown_device", ""),)
    if said is not None and said not in (name, split_full_name(name)[1]):
        return (Reason("device", "device_mismatch", shown(said)),)
    if product is None:
        return (Reason("product", "unknown_product", split_full_name(name)[0]),)
    if device is None:
        return (Reason("device", "unknown_device", name),)
    return ()


def _age_reasons(product: Product, delay: int, message: Message) -> tuple[Reason, ...]:
    if not _exceeds(delay, product.max_age):
        return ()
    seconds = delay / 1_000_000
    return (Reason("ts", "too_old", f"{seconds:.0f} s before it was received"),)


@lru_cache(maxsize=4096)
def _micros(duration: timedelta) -> int:
    return duration // _MICROSECOND


def _exceeds(delay: int, limit: timedelta | None) -> bool:
    return limit is not None and delay > _micros(limit)


_Checked = tuple[int | None, tuple[Reading, ...], tuple[Reason, ...]]


def check(metrics: Mapping[str, object], product: Product, registry: Registry) -> _Checked:
    """Hold metrics against the newest version that takes them: (version, readings, reasons).

    Where none does, the reasons are the newest version's.
    """
    if not product.newest_first:
        return _check_open(metrics, registry.first_use.get((product.tenant, product.key), {}))
    refused: _Checked | None = None
    for version in product.newest_first:
        checked = _check_version(metrics, version)
        if not checked[2]:
            return checked
        refused = refused or checked
    assert refused is not None
    return refused


def _check_version(metrics: Mapping[str, object], version: SchemaVersion) -> _Checked:
    readings: list[Reading] = []
    reasons: list[Reason] = []
    for name, value in metrics.items():
        metric = version.metrics.get(name)
        if metric is None:
            reasons.append(Reason(name, "unknown_metric", shown(value)))
            continue
        rule = broken_rule(metric, value)
        if rule is None:
            readings.append(_reading(metric, value))
        else:
            reasons.append(Reason(name, rule, shown(value)))
    for name, metric in version.metrics.items():
        if metric.required and name not in metrics:
            reasons.append(Reason(name, "required", ""))
    return version.version, tuple(readings), tuple(reasons)


def broken_rule(metric: Metric, value: object) -> str | None:
    """Return the rule that the value breaks, or None; a sentinel breaks none."""
    kind = value_type(value)
    if metric.type in ("double", "int"):
        if kind != "double":
            return "type"
        number = value
        assert isinstance(number, int | float)
        if number in metric.sentinels:
            return None
        if metric.type == "int" and number != int(number):
            return "type"
        below = metric.min is not None and number < metric.min
        above = metric.max is not None and number > metric.max
        return "range" if below or above else None
    if kind != metric.type:
        return "type"
    known = not metric.values or value in metric.values or value in metric.sentinels
    return None if known else "values"


def value_type(value: object) -> str | None:
    """Return double, string or bool; None for what no metric can be."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "double"
    return "string" if isinstance(value, str) else None


def _reading(metric: Metric, value: object) -> Reading:
    if metric.sentinels and not isinstance(value, bool) and value in metric.sentinels:
        return Reading(metric.name, None, None, None, metric.unit, "sentinel")
    return plain_reading(metric.name, value, metric.unit)


def plain_reading(name: str, value: object, unit: str | None = None) -> Reading:
    """Return the reading of a value of any type that a metric can be."""
    if isinstance(value, bool):
        return Reading(name, None, None, value, unit, "ok")
    if isinstance(value, str):
        return Reading(name, None, value, None, unit, "ok")
    assert isinstance(value, int | float)
    return Reading(name, float(value), None, None, unit, "ok")


def _check_open(metrics: Mapping[str, object], fixed: Mapping[str, str]) -> _Checked:
    reasons = tuple(
        Reason(name, "type" if name else "unknown_metric", shown(value))
        for name, value in metrics.items()
        if (kind := value_type(value)) is None or fixed.get(name, kind) != kind or not name
    )
    if reasons:
        return None, (), reasons
    return (
        None,
        tuple(plain_reading(name, value) for name, value in metrics.items()),
        (),
    )
