"""A device's secrets: issued, rotated with an overlap, revoked; sealed at rest, shown once."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.problems import conflict
from services.registry.devices import of_device
from services.registry.store import Entry, Reading, Writing
from services.registry.tables import KIND_TABLES
from telemetry.changes import ChangeKey, CredentialBody
from telemetry.sealing import KeyRing, seal

MOST_LIVE = 2


@dataclass(frozen=True, slots=True)
class Issued:
    """A new secret, and where it stands."""

    credential_id: str
    device_full: str
    secret: str
    valid_from: datetime
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of whom a secret is wanted, which one if it is given, and until when."""

    tenant: str
    device_full: str
    secret: str | None = None
    valid_until: datetime | None = None


def live(reading: Reading, tenant: str, device_full: str, now: datetime) -> list[Entry]:
    """Return the secrets that a device may use now, the oldest first."""
    held = of_device(reading, "credential", tenant, device_full)
    valid = [entry for entry in held if not _is_over(entry, now)]
    return sorted(valid, key=lambda entry: (entry.created_at, entry.key))


def _is_over(entry: Entry, now: datetime) -> bool:
    until = _body(entry).valid_until
    return until is not None and until <= now


def _body(entry: Entry) -> CredentialBody:
    assert isinstance(entry.body, CredentialBody)
    return entry.body


def issue(writing: Writing, ring: KeyRing, wanted: Wanted) -> Issued:
    """Issue a secret beside at most one that lives."""
    tenant, device_full = wanted.tenant, wanted.device_full
    if len(live(writing, tenant, device_full, writing.now)) >= MOST_LIVE:
        raise conflict(f"{device_full} has {MOST_LIVE} secrets: revoke one first, or rotate")
    return issue_all(writing, ring, [wanted])[0]


def issue_all(writing: Writing, ring: KeyRing, wanted: Sequence[Wanted]) -> list[Issued]:
    """Issue a secret to each of many devices."""
    check_owners(writing, wanted)
    issued, bodies = [], []
    for one in wanted:
        credential_id = secrets.token_hex(6)
        secret = one.secret or secrets.token_hex(16)
        key = ChangeKey("credential", one.tenant, f"{one.device_full}/{credential_id}")
        sealed = seal(secret.encode(), ring, key.encoded())
        body = CredentialBody(one.device_full, sealed, writing.now, one.valid_until)
        bodies.append((one.tenant, key.name, body))
        issued.append(Issued(credential_id, one.device_full, secret, writing.now, one.valid_until))
    writing.put_all(bodies, "issue")
    return issued


def check_owners(reading: Reading, wanted: Sequence[Wanted]) -> None:
    """Refuse a name that proves itself in two tenants: what a device says names no tenant."""
    table = KIND_TABLES["credential"]
    for start in range(0, len(wanted), 500):
        group = {one.device_full: one.tenant for one in wanted[start : start + 500]}
        for entry in reading.entries("credential", table.c.device_full.in_(group)):
            device_full = _body(entry).device_full
            if entry.key.tenant != group[device_full]:
                raise conflict(f"{device_full} has a secret in another tenant: name it otherwise")


def rotate(writing: Writing, ring: KeyRing, wanted: Wanted, overlap: timedelta) -> Issued:
    """Issue a new secret; the one before lives on for the overlap, any older one is revoked."""
    held = live(writing, wanted.tenant, wanted.device_full, writing.now)
    writing.revoke([entry.key for entry in held[:-1]], "revoke")
    for newest in held[-1:]:
        body, until = _body(newest), writing.now + overlap
        ends = min(body.valid_until or until, until)
        writing.put(newest.key.tenant, newest.key.name, replace(body, valid_until=ends), "expire")
    return issue_all(writing, ring, [wanted])[0]
