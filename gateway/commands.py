"""Records of the topic `commands` as messages for devices."""

from gateway.channels import DOWNLINKS
from gateway.downlink import Downlink
from gateway.feeds import Record

LONGEST_CHANNEL = 256
"""Bytes; a name of it fits an option of CoAP."""
LONGEST_BINARY = 0xFFFF
"""Bytes that MQTT gives to a text or a binary."""
LATEST_DIGITS = 17
"""Digits of the last time that is one: microseconds of the year 5138."""
_NOT_IN_TOPICS = frozenset("+#\0")


def downlink_of(record: Record) -> Downlink | None:
    """Read a record; None for one that goes to no device's own channel, or that none can carry."""
    headers = record.headers
    try:
        device_full, channel, tenant, content_type = (
            text.decode()
            for text in (
                record.key,
                headers.get("channel", b""),
                headers.get("tenant", b"default"),
                headers.get("content_type", b""),
            )
        )
    except UnicodeDecodeError:
        return None
    correlation, expires = headers.get("correlation"), headers.get("expires_at", b"")
    if not device_full or not _is_downlink(channel):
        return None
    if max(len(correlation or b""), len(content_type.encode())) > LONGEST_BINARY:
        return None
    return Downlink(
        tenant=tenant,
        device_full=device_full,
        part=channel,
        payload=record.value or b"",
        qos={b"0": 0, b"2": 2}.get(headers.get("qos", b"1"), 1),
        expires_at=int(expires) / 1_000_000 if _is_time(expires) else None,
        content_type=content_type.replace("\0", "") or None,
        correlation=correlation,
    )


def _is_downlink(channel: str) -> bool:
    """Say whether a channel is below one of those that devices listen to, and is a topic."""
    root, slash, rest = channel.partition("/")
    is_short = len(channel.encode()) <= LONGEST_CHANNEL
    return root in DOWNLINKS and bool(slash and rest) and is_short and not _NOT_IN_TOPICS & {*rest}


def _is_time(text: bytes) -> bool:
    return text.isdigit() and len(text) <= LATEST_DIGITS
