"""Where connections on this machine come from, so that thousands find a free port."""

import sys
from ipaddress import AddressValueError, IPv4Address

PER_ADDRESS = 4_000
"""Connections from one address: of its 28,000 ports those closed a minute ago are not free."""
ADDRESSES = 250


def source_of(host: str, number: int) -> tuple[str, int] | None:
    """Return the address that connection `number` to `host` comes from; None: the system's choice.

    All of 127.0.0.0/8 is this machine on Linux; elsewhere it has the first address alone.
    """
    try:
        is_own = IPv4Address(host).is_loopback
    except AddressValueError:
        return None
    if not is_own or sys.platform != "linux":
        return None
    return f"127.0.0.{1 + number // PER_ADDRESS % ADDRESSES}", 0
