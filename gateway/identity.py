"""Who speaks: a device as its credential proved it."""

from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

from telemetry.devices import Durability, split_full_name

DEVELOPMENT = "local/development"
"""The credential of who came in by a name alone, or by the token of development."""


class Identity(NamedTuple):
    """A device, and the credential that its session lives by."""

    tenant: str
    device_full: str
    credential: str
    """`{kind}/{name}` of what proved it; the session ends when that is revoked."""
    expires_at: float | None = None
    """Seconds since 1970; the earlier end of what the proof itself and the registry say."""
    durability: Durability = "industrial"
    own_end: float | None = None
    """When the token or certificate ends by itself, whatever the registry says."""
    vouched_by: str = ""
    """Digest of the token key or authority that its proof was held against."""
    certificate: bytes | None = None
    """What it came in by, as DER, to be looked at again when authorities change."""

    @property
    def device(self) -> str:
        """Name within the product."""
        return split_full_name(self.device_full)[1]


class Presented(NamedTuple):
    """What somebody shows to be let in."""

    client_id: str = ""
    username: str | None = None
    password: str | None = None
    certificate: bytes | None = None
    """DER, as the TLS handshake verified it against the known authorities."""
    address: str = ""
    is_tls: bool = False
    is_datagram: bool = False
    """Whether nothing proves the address: anybody may write another's on a datagram."""

    @property
    def is_overheard(self) -> bool:
        """Whether others may read what it shows: it came over a network and not by TLS."""
        return not self.is_tls and not _is_loopback(self.address)


def _is_loopback(address: str) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return (mapped or found).is_loopback
