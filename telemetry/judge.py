"""The judgement of a message: decode, device, schema, clock; then late or not.

Duplicates are judged after this, by whoever knows what was there before.
"""

from datetime import timedelta
from functools import lru_cache
from typing import NamedTuple

from telemetry.devices import Device, split_full_name
from telemetry.encodings import decode_as
from telemetry.message import Decoded, Message, Place, Reason, message_key, shown
from telemetry.products import Product
from telemetry.records import Record, Sender, sender
from telemetry.registry import Registry
from telemetry.schema_check import Reading, check

UNKNOWN_DEVICE = "unknown_device"
UNKNOWN_PRODUCT = "unknown_product"
UNKNOWN_RULES = (UNKNOWN_DEVICE, UNKNOWN_PRODUCT)
"""What a registration mends."""
_MICROSECOND = timedelta(microseconds=1)


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


def judge(record: Record, registry: Registry, *, tolerance_us: int) -> list[Judged]:
    """Judge each message of a record, all but duplicates; never raises on what a device sent."""
    origin = sender(record)
    decoded = decode_as(record.value, origin.content_type)
    items = len(decoded)
    coordinates = record[:3]
    return [
        _judge(origin, found, Place(*coordinates, item, items), registry, tolerance_us)
        for item, found in enumerate(decoded)
    ]


def _judge(
    origin: Sender, decoded: Decoded, place: Place, registry: Registry, tolerance_us: int
) -> Judged:
    message = decoded.message
    boot, seq = message_key(message, decoded.raw, place)
    device_time = message.ts if message else None
    event_time, clock = clamp(device_time, origin.received_at, tolerance_us)
    tenant, name = origin.tenant, origin.device_full
    key = split_full_name(name)[0] if name else None
    product = registry.product(tenant, key) if key else None
    device = registry.device_at(tenant, name, event_time) if name else None
    delay = origin.received_at - event_time
    version, readings, reasons = _accept(decoded, origin, product, device, registry)
    if not reasons and product is not None:
        reasons = _age_reasons(product, delay)
    return Judged(
        item=place.item,
        items=place.items,
        raw=decoded.raw,
        tenant=tenant,
        device_full=name,
        product=key,
        boot=boot,
        seq=seq,
        device_time=device_time,
        event_time=event_time,
        received_at=origin.received_at,
        clock=clock,
        late=not reasons and product is not None and _exceeds(delay, product.lateness),
        schema_version=version,
        message=message,
        readings=() if reasons else readings,
        reasons=reasons,
        device=device,
    )


def _accept(
    decoded: Decoded,
    origin: Sender,
    product: Product | None,
    device: Device | None,
    registry: Registry,
) -> tuple[int | None, tuple[Reading, ...], tuple[Reason, ...]]:
    """Hold the message against its form, its device and its schema; the first to fail decides."""
    message = decoded.message
    if message is None:
        return None, (), decoded.reasons
    reasons = _device_reasons(message, origin.device_full, product, device)
    if reasons or product is None:
        return None, (), reasons
    return check(
        message.metrics, product, registry.first_use.get((product.tenant, product.key), {})
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
        return (Reason("device", UNKNOWN_DEVICE, ""),)
    if said is not None and said not in (name, split_full_name(name)[1]):
        return (Reason("device", "device_mismatch", shown(said)),)
    if product is None:
        return (Reason("product", UNKNOWN_PRODUCT, split_full_name(name)[0]),)
    if device is None:
        return (Reason("device", UNKNOWN_DEVICE, name),)
    return ()


def _age_reasons(product: Product, delay: int) -> tuple[Reason, ...]:
    if not _exceeds(delay, product.max_age):
        return ()
    seconds = delay / 1_000_000
    return (Reason("ts", "too_old", f"{seconds:.0f} s before it was received"),)


@lru_cache(maxsize=4096)
def _micros(duration: timedelta) -> int:
    return duration // _MICROSECOND


def _exceeds(delay: int, limit: timedelta | None) -> bool:
    return limit is not None and delay > _micros(limit)
