"""Topics of devices: which part of its own subtree a device names, and where that goes."""

from dataclasses import dataclass
from functools import lru_cache

from gateway.identity import Identity
from gateway.limits import Bucket
from gateway.outlet import Headers
from telemetry.accounts import PAGE_HEADER
from telemetry.devices import split_full_name
from telemetry.records import record_headers
from telemetry.topics import TELEMETRY, TOPICS, UPLINK

ROOT = "devices"
TELEMETRY_CHANNEL = "telemetry"
REJECTS_CHANNEL = "rejects"
RECEIPTS_CHANNEL = "receipts"
OWN_WORDS = (REJECTS_CHANNEL, RECEIPTS_CHANNEL)
"""Where the gateway itself speaks, so that no device publishes there."""
DOWNLINKS = ("commands", "twin", "firmware")
DECLARED = frozenset(topic.name for topic in TOPICS)


@dataclass(frozen=True, slots=True)
class Channel:
    """Where one device's messages to one topic go, worked out once."""

    identity: Identity
    name: str
    """What stands behind `devices/{id}/`."""
    protocol: str
    kafka_topic: str
    key: bytes
    headers: Headers
    """Of its records, `received_at` in its place and not yet known."""
    buckets: tuple[Bucket, ...]
    names: tuple[str, ...]
    """What a message may call its device."""
    is_telemetry: bool
    """Whether its messages are readings."""

    @property
    def is_elsewhere(self) -> bool:
        """Whether its messages go to a topic that is not Headwater's, and that no job counts."""
        return self.kafka_topic not in DECLARED

    def stamped(self, now: int, page: bytes) -> Headers:
        """Return the headers of records taken at `now`, in epoch microseconds, on a page."""
        headers = self.headers.copy()
        headers["received_at"] = b"%d" % now
        headers[PAGE_HEADER] = page
        return headers


def own_part(topic: str, identity: Identity) -> str | None:
    """Return what stands behind the device's own root in a topic or filter; None if it is not its.

    A device may call itself by its full name or by its name within the product.
    """
    root, slash, rest = topic.partition("/")
    if root != ROOT or not slash:
        return None
    name, slash, part = rest.partition("/")
    if not slash or not part or name not in (identity.device_full, identity.device):
        return None
    return part


def channel(
    identity: Identity,
    part: str,
    *,
    protocol: str,
    buckets: tuple[Bucket, ...],
    content_type: str,
) -> Channel:
    """Return the channel of a device's messages to one part of its subtree."""
    headers = record_headers(
        identity.device_full,
        received_at=0,
        protocol=protocol,
        tenant=identity.tenant,
        content_type=content_type,
    )
    own: Headers = {name: value if name == "device" else _one(value) for name, value in headers}
    is_telemetry = part == TELEMETRY_CHANNEL
    if not is_telemetry:
        own["channel"] = part.encode()
    return Channel(
        identity,
        part,
        protocol,
        (TELEMETRY if is_telemetry else UPLINK).name,
        identity.device_full.encode(),
        own,
        buckets,
        (identity.device_full, split_full_name(identity.device_full)[1]),
        is_telemetry,
    )


@lru_cache(maxsize=1024)
def _one(value: bytes) -> bytes:
    """Return one object for what thousands of channels have alike."""
    return value
