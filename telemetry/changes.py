"""Records of the compacted topic `registry.changes`: what the registry tells every process.

Key: `{kind}/{tenant}/{name}`. Value: a JSON object `{"edition", "changed_at", "body"}`, or null
where the thing is gone or may no longer be used. The headers `edition` and `changed_at` stand on
both. Editions count every change of a registry in the order of its commits; whoever has read an
edition of a key may leave out one that is not newer.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, TypeAlias, cast

import msgspec

from telemetry.devices import Device
from telemetry.errors import HeadwaterError
from telemetry.products import Product, product_from_dict
from telemetry.rules.form import rule_from_dict
from telemetry.rules.rule import VersionedRule
from telemetry.sealing import Sealed

Kind = Literal[
    "tenant",
    "product",
    "device",
    "credential",
    "certificate",
    "authority",
    "jwt_key",
    "api_key",
    "rule",
]
Role = Literal["admin", "operator", "viewer"]
Algorithm = Literal["RS256", "ES256", "EdDSA", "HS256"]
ALL_TENANTS = "*"
"""Tenant of an API key that stands above the tenants."""
LARGEST_VALUE = 900_000
"""Bytes of a record's value: with key and headers a broker takes 1 MiB by its default."""


@dataclass(frozen=True, slots=True)
class TenantBody:
    """A tenant; name in the key: the tenant's. Lock-out: so many failures within so long."""

    is_disabled: bool = False
    lockout_failures: int = 10
    lockout_within_s: int = 60
    lockout_for_s: int = 300


@dataclass(frozen=True, slots=True)
class ProductBody:
    """A product; name in the key: the product's."""

    declaration: dict[str, object]
    """The form that `product_from_dict` reads."""

    def product(self) -> Product:
        """Return the product."""
        return product_from_dict(self.declaration)


@dataclass(frozen=True, slots=True)
class DeviceBody:
    """A device; name in the key: its full name. A disabled one may not connect."""

    device: Device
    is_disabled: bool = False


@dataclass(frozen=True, slots=True)
class CredentialBody:
    """A device's secret; name in the key: `{device_full}/{id}`. Two live while one is rotated.

    Revoked: null. The secret is sealed with the record's key as its context.
    """

    device_full: str
    secret: Sealed
    valid_from: datetime
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class CertificateBody:
    """A device's certificate; name in the key: SHA-256 of its DER in lower-case hex."""

    device_full: str
    serial: str
    """Lower-case hex without leading zeros."""
    valid_from: datetime
    valid_until: datetime


@dataclass(frozen=True, slots=True)
class AuthorityBody:
    """Whose signature on a device's certificate is believed; name in the key: of choice.

    A certificate that no `certificate` record names is believed by its chain alone only if
    `names_devices`: then its SAN URI `device:{device_full}`, else its CN, is the device.
    """

    certificate: str
    """PEM."""
    revocations: str | None = None
    """The newest CRL as PEM."""
    names_devices: bool = False


@dataclass(frozen=True, slots=True)
class JwtKeyBody:
    """A key of tokens; name in the key: the token's `kid`. `product` None: any of the tenant."""

    algorithm: Algorithm
    issuer: str
    audience: str
    public_key: str | None = None
    """PEM; None for HS256, which has a sealed secret."""
    secret: Sealed | None = None
    product: str | None = None
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ApiKeyBody:
    """A person's or program's key; name in the key: its id, which stands before the dot in it."""

    sha256: str
    """Of the whole key's text, in lower-case hex."""
    role: Role
    note: str = ""
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class RuleBody:
    """A rule; name in the key: the rule's. One that is off is there, and judges nothing."""

    declaration: dict[str, object]
    """The form that `rule_from_dict` reads."""
    version: int
    is_on: bool = False

    def kept(self) -> VersionedRule:
        """Return the rule with its version."""
        return VersionedRule(rule_from_dict(self.declaration), self.version, self.is_on)


Body: TypeAlias = (
    TenantBody
    | ProductBody
    | DeviceBody
    | CredentialBody
    | CertificateBody
    | AuthorityBody
    | JwtKeyBody
    | ApiKeyBody
    | RuleBody
)
BODIES: Mapping[Kind, type[Body]] = {
    "tenant": TenantBody,
    "product": ProductBody,
    "device": DeviceBody,
    "credential": CredentialBody,
    "certificate": CertificateBody,
    "authority": AuthorityBody,
    "jwt_key": JwtKeyBody,
    "api_key": ApiKeyBody,
    "rule": RuleBody,
}
KINDS = {body: kind for kind, body in BODIES.items()}


class ChangeError(HeadwaterError):
    """A record of `registry.changes` does not read as one."""


class ChangeKey(NamedTuple):
    """What a record is about."""

    kind: Kind
    tenant: str
    name: str

    def encoded(self) -> bytes:
        """Return the record's key."""
        return f"{self.kind}/{self.tenant}/{self.name}".encode()


@dataclass(frozen=True, slots=True)
class Change:
    """One change as it was committed; `body` None: gone, or no longer to be used."""

    key: ChangeKey
    edition: int
    changed_at: datetime
    body: Body | None


class ChangeRecord(NamedTuple):
    """A change as Kafka holds it."""

    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes]]


def encode_change(change: Change) -> ChangeRecord:
    """Return the record of a change."""
    changed_at = change.changed_at.isoformat()
    headers = [("edition", b"%d" % change.edition), ("changed_at", changed_at.encode())]
    told = {"edition": change.edition, "changed_at": changed_at, "body": change.body}
    value = None if change.body is None else msgspec.json.encode(told)
    return ChangeRecord(change.key.encoded(), value, headers)


def decode_change(
    key: bytes, value: bytes | None, headers: Iterable[tuple[str, bytes]] = ()
) -> Change | None:
    """Read a record; None for a kind of a newer release, which is none of ours."""
    try:
        kind, tenant, name = key.decode().split("/", 2)
        if kind not in BODIES:
            return None
        known = cast(Kind, kind)
        found = _head(dict(headers)) if value is None else _body(known, value)
    except (ValueError, KeyError, msgspec.MsgspecError) as error:
        raise ChangeError(f"registry.changes, key {key!r}: {error}") from error
    return Change(ChangeKey(known, tenant, name), found.edition, found.changed_at, found.body)


class _Envelope(msgspec.Struct):
    edition: int
    changed_at: datetime
    body: msgspec.Raw


class _Read(NamedTuple):
    edition: int
    changed_at: datetime
    body: Body | None


def _head(headers: Mapping[str, bytes]) -> _Read:
    changed_at = datetime.fromisoformat(headers["changed_at"].decode())
    return _Read(int(headers["edition"]), changed_at, None)


def _body(kind: Kind, value: bytes) -> _Read:
    envelope = msgspec.json.decode(value, type=_Envelope)
    body = msgspec.json.decode(envelope.body, type=BODIES[kind])
    return _Read(envelope.edition, envelope.changed_at, body)
