"""Records in Kafka and the spool: key, headers, and whose message it is."""

from typing import NamedTuple

from telemetry.devices import full_name, split_full_name

Headers = list[tuple[str, bytes]]

RECEIVED_AT_TRUST_US = 5 * 60 * 1_000_000
"""A `received_at` header is believed only this near to the append time."""

JSON = "application/json"
PARTITIONER = "murmur2_random"
"""Every producer of ours partitions alike (librdkafka's name for the Java client's default)."""


class Record(NamedTuple):
    """A record as landing reads it; times in microseconds since 1970."""

    topic: str
    partition: int
    offset: int
    kafka_time: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes]


class Sender(NamedTuple):
    """Who sent a record, and when the gateway had it."""

    tenant: str
    device_full: str | None
    received_at: int
    content_type: str


def record_headers(
    device_full: str,
    *,
    received_at: int,
    protocol: str,
    tenant: str = "default",
    content_type: str = JSON,
) -> Headers:
    """Return the headers that every producer of ours sends; `received_at` in microseconds."""
    product, device = split_full_name(device_full)
    return [
        ("tenant", tenant.encode()),
        ("product", product.encode()),
        ("device", device.encode()),
        ("received_at", b"%d" % received_at),
        ("protocol", protocol.encode()),
        ("content_type", content_type.encode()),
    ]


def sender(record: Record) -> Sender:
    """Read who sent the record; a foreign producer may leave every header out."""
    headers = record.headers
    return Sender(
        tenant=_text(headers.get("tenant")) or "default",
        device_full=_device_full(record),
        received_at=_received_at(record),
        content_type=content_type(headers.get("content_type")),
    )


def content_type(header: bytes | None) -> str:
    """Return what a record's header says of its form; JSON where it says nothing."""
    return _text(header) or JSON


def _text(value: bytes | None) -> str:
    return value.decode("utf-8", "replace") if value else ""


def _device_full(record: Record) -> str | None:
    device = _text(record.headers.get("device"))
    if device and "." not in device:
        return full_name(_text(record.headers.get("product")) or "default", device)
    return device or _text(record.key) or None


def _received_at(record: Record) -> int:
    header = record.headers.get("received_at")
    if header is None or not header.isdigit() or len(header) > 18:
        return record.kafka_time
    received_at = int(header)
    near = abs(received_at - record.kafka_time) <= RECEIVED_AT_TRUST_US
    return received_at if near else record.kafka_time
