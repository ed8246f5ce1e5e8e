"""Records of the topic `commands` as messages for devices."""

from gateway.channels import DOWNLINKS
from gateway.downlink import Downlink
from gateway.feeds import Record


def downlink_of(record: Record) -> Downlink | None:
    """Read a record; None for one that goes to no device's own channel."""
    headers = record.headers
    part = headers.get("channel", b"").decode("utf-8", "replace")
    device_full = record.key.decode("utf-8", "replace")
    root, slash, rest = part.partition("/")
    if root not in DOWNLINKS or not slash or not rest or not device_full or "#" in part:
        return None
    expires = headers.get("expires_at", b"")
    return Downlink(
        tenant=headers.get("tenant", b"default").decode("utf-8", "replace"),
        device_full=device_full,
        part=part,
        payload=record.value or b"",
        qos={b"0": 0, b"2": 2}.get(headers.get("qos", b"1"), 1),
        expires_at=int(expires) / 1_000_000 if expires.isdigit() else None,
        content_type=headers.get("content_type", b"").decode("utf-8", "replace") or None,
        correlation=headers.get("correlation"),
    )
