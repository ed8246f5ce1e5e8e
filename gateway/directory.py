"""What the gateway knows of devices and their credentials: the registry's changes, in memory."""

import os
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from math import inf
from typing import NamedTuple

from telemetry.changes import (
    AuthorityBody,
    CertificateBody,
    Change,
    CredentialBody,
    DeviceBody,
    JwtKeyBody,
    TenantBody,
)
from telemetry.devices import Device, Durability, split_full_name
from telemetry.sealing import KeyRing, Sealed, SealError, seal, unseal

DEFAULT_TENANT = TenantBody()
DECOY = b"decoy"


class Secret(NamedTuple):
    """A device's secret that is in force."""

    credential: str
    secret: bytes
    expires_at: float | None


class _Held(NamedTuple):
    context: bytes
    body: CredentialBody


class Directory:
    """Devices, secrets, certificates, authorities and token keys, by what a login names."""

    def __init__(self, ring: KeyRing | None = None) -> None:
        self._ring = ring
        self._decoy = seal(os.urandom(32), ring, DECOY) if ring else None
        self._complaint = ""
        self._devices: dict[str, dict[str, DeviceBody]] = {}
        self._secrets: dict[tuple[str, str], dict[str, _Held]] = {}
        self._tenants: dict[str, TenantBody] = {}
        self._tenants_of: dict[str, set[str]] = {}
        self.certificates: dict[str, tuple[str, CertificateBody]] = {}
        self.authorities: dict[tuple[str, str], AuthorityBody] = {}
        self.removed: dict[str, AuthorityBody] = {}
        """Authorities that were believed and are no more, by certificate."""
        self.configured: tuple[AuthorityBody, ...] = ()
        """Authorities that the settings name, believed whatever the registry says."""
        self.between: dict[str, None] = {}
        """Authorities below those that are known, as TLS verified them: lists may name them."""
        self.revoked: dict[str, bool] = {}
        """Whether an authority is revoked, as far as somebody asked since the last change."""
        self.jwt_keys: dict[str, tuple[str, JwtKeyBody]] = {}
        self._editions: dict[bytes, int] = {}
        self.applied = 0
        """How many changes were taken over."""
        self.on_change: Callable[[Change], None] = _ignore

    def apply(self, change: Change) -> None:
        """Take over a change that is newer than what is known."""
        key = change.key.encoded()
        if change.edition <= self._editions.get(key, -1):
            return
        self._editions[key] = change.edition
        self.applied += 1
        self._apply(change)
        self.on_change(change)

    def _apply(self, change: Change) -> None:
        (kind, tenant, name), body = change.key, change.body
        if kind == "device":
            _put(self._devices.setdefault(name, {}), tenant, body, DeviceBody)
            self._tenants_of.setdefault(split_full_name(name)[0], set()).add(tenant)
        elif kind == "credential":
            device_full, _, identifier = name.rpartition("/")
            held = isinstance(body, CredentialBody) and _Held(change.key.encoded(), body)
            _put(self._secrets.setdefault((tenant, device_full), {}), identifier, held, _Held)
        elif kind == "tenant":
            _put(self._tenants, tenant, body, TenantBody)
        elif kind == "authority":
            self._authority((tenant, name), body)
        elif kind == "certificate":
            _put(self.certificates, name, body and (tenant, body), tuple)
        elif kind == "jwt_key":
            _put(self.jwt_keys, name, body and (tenant, body), tuple)

    def _authority(self, key: tuple[str, str], body: object) -> None:
        before = self.authorities.get(key)
        self.revoked.clear()
        _put(self.authorities, key, body, AuthorityBody)
        if before is not None:
            self.removed[before.certificate] = before
        for present in self.authorities.values():
            self.removed.pop(present.certificate, None)

    def named(self, device_full: str) -> Iterator[tuple[str, Device]]:
        """Yield tenant and device for each enabled device of this name."""
        for tenant, body in self._devices.get(device_full, {}).items():
            if not body.is_disabled and not self.tenant(tenant).is_disabled:
                yield tenant, body.device

    def device(self, tenant: str, device_full: str) -> Device | None:
        """Return an enabled device."""
        return dict(self.named(device_full)).get(tenant)

    def durability(self, tenant: str, device_full: str) -> Durability:
        """Return a device's class; one that is not known has the stronger."""
        device = self.device(tenant, device_full)
        return (device.durability if device else None) or "industrial"

    def is_shut(self, tenant: str, device_full: str) -> bool:
        """Say whether a device is known and disabled, or its tenant is."""
        body = self._devices.get(device_full, {}).get(tenant)
        return self.tenant(tenant).is_disabled or (body is not None and body.is_disabled)

    def tenant(self, tenant: str) -> TenantBody:
        """Return what is known of a tenant."""
        return self._tenants.get(tenant, DEFAULT_TENANT)

    def lockout_rule(self, product: str) -> TenantBody:
        """Return the strictest rule of the tenants that have devices of a product."""
        tenants = self._tenants_of.get(product, ("default",))
        rules = [self.tenant(tenant) for tenant in tenants]
        return TenantBody(
            lockout_failures=min(rule.lockout_failures for rule in rules),
            lockout_within_s=max(rule.lockout_within_s for rule in rules),
            lockout_for_s=max(rule.lockout_for_s for rule in rules),
        )

    def decoy(self) -> bytes:
        """Return what is nobody's secret, by the work that a secret takes."""
        opened = self._open(self._decoy, DECOY) if self._decoy else None
        return opened or b""

    def secrets(self, tenant: str, device_full: str, now: float) -> list[Secret]:
        """Return the device's secrets in force, unsealed, as far as the keys open them."""
        found = self._secrets.get((tenant, device_full), {})
        return [
            Secret(f"credential/{device_full}/{name}", opened, until)
            for name, (context, body) in found.items()
            if ((until := _until(body)) is None or until > now)
            and (opened := self._open(body.secret, context)) is not None
        ]

    def _open(self, sealed: Sealed, context: bytes) -> bytes | None:
        """Return a secret; None, which is told once, where the keys are not those of its seal."""
        try:
            if self._ring is None:
                raise SealError("secrets are sealed, and there are no keys here")
            return unseal(sealed, self._ring, context)
        except SealError as error:
            if str(error) != self._complaint:
                self._complaint = str(error)
                fix = "HEADWATER_KEY_FILE names the registry's"
                print(f"gateway: {error}; {fix}", file=sys.stderr, flush=True)  # noqa: T201
            return None

    def token_secret(self, kid: str) -> bytes | None:
        """Return the key that a token's signature is checked with: PEM, or a shared secret."""
        tenant, body = self.jwt_keys[kid]
        if body.public_key:
            return body.public_key.encode()
        if body.secret is None:
            return None
        return self._open(body.secret, f"jwt_key/{tenant}/{kid}".encode())

    def secret_end(self, tenant: str, device_full: str, name: str) -> float | None:
        """Return until when a secret is in force, None where it was revoked."""
        held = self._secrets.get((tenant, device_full), {}).get(name.rpartition("/")[2])
        return None if held is None else seconds(held.body.valid_until)


def seconds(until: datetime | None) -> float:
    """Return an end in seconds since 1970; none is infinitely far."""
    return until.timestamp() if until else inf


def _until(body: CredentialBody) -> float | None:
    return body.valid_until.timestamp() if body.valid_until else None


def _put(known: dict, key: object, body: object, kind: type) -> None:  # type: ignore[type-arg]
    if isinstance(body, kind):
        known[key] = body
    else:
        known.pop(key, None)


def _ignore(_change: Change) -> None:
    return None
