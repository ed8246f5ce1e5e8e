"""X.509: certificates of devices, and the authorities that sign and revoke them."""

from dataclasses import replace
from datetime import datetime
from http import HTTPStatus

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from services.problems import conflict, not_found
from services.registry.bulk import check_tenant
from services.registry.devices import of_device, the_device
from services.registry.served import Admin, Operator, Viewer
from services.registry.store import Entry, Writing
from services.registry.tables import AUTHORITIES, CERTIFICATES
from services.registry.words import DeviceFull, Name, Pem, PemList
from services.registry.x509 import (
    check_authority,
    check_revocations,
    have_one_key,
    is_older,
    is_signed_by,
    read_certificate,
)
from telemetry.changes import AuthorityBody, CertificateBody, ChangeKey

router = APIRouter(prefix="/v1", tags=["certificates"])


class CertificateIn(BaseModel):
    """A device's certificate."""

    model_config = ConfigDict(extra="forbid")

    certificate: Pem


class CertificateOut(BaseModel):
    """A device's certificate as it is known."""

    fingerprint: str
    device_full: str
    serial: str
    valid_from: datetime
    valid_until: datetime
    revoked_at: datetime | None


class AuthorityIn(BaseModel):
    """Whose signature on certificates is believed, and what it has revoked."""

    model_config = ConfigDict(extra="forbid")

    certificate: Pem
    revocations: PemList | None = None
    names_devices: bool = False
    """Whether a certificate that it signed names its device without being registered itself."""


class AuthorityOut(AuthorityIn):
    """An authority."""

    name: str
    edition: int


class RevocationsIn(BaseModel):
    """A revocation list."""

    model_config = ConfigDict(extra="forbid")

    revocations: PemList


@router.get("/devices/{device_full}/certificates")
def list_certificates(device_full: DeviceFull, access: Viewer) -> list[CertificateOut]:
    """List a device's certificates, revoked ones too."""
    with access.registry.store.reading() as reading:
        the_device(reading, access.tenant, device_full)
        held = of_device(reading, "certificate", access.tenant, device_full, with_revoked=True)
    return [_certificate_out(one) for one in held]


@router.post("/devices/{device_full}/certificates", status_code=HTTPStatus.CREATED)
def add_certificate(
    device_full: DeviceFull, wanted: CertificateIn, access: Operator
) -> CertificateOut:
    """Let a device prove itself with a certificate."""
    now = access.registry.now()
    fingerprint, body = read_certificate(device_full, wanted.certificate, now)
    with access.writing() as writing:
        the_device(writing, access.tenant, device_full)
        named = CERTIFICATES.c.name == fingerprint
        for known in writing.entries("certificate", named, with_revoked=True):
            raise conflict(_taken(known, access.tenant))
        # Anybody may have seen it: whoever sends it here has not shown that they hold its key.
        if _is_named_elsewhere(writing, access.tenant, wanted.certificate):
            raise conflict("who signed the certificate names another tenant's devices")
        writing.put(access.tenant, fingerprint, body, "add")
        found = writing.get("certificate", access.tenant, fingerprint)
        assert found is not None
    access.registry.wake()
    return _certificate_out(found)


def _taken(known: Entry, tenant: str) -> str:
    """Say why a certificate that is known can be no device's anew."""
    if known.revoked_at is not None:
        return "the certificate was revoked, for good: give the device another one"
    owner = _body(known).device_full if known.key.tenant == tenant else "another tenant"
    return f"the certificate is {owner}'s already"


@router.delete("/devices/{device_full}/certificates/{fingerprint}")
def revoke_certificate(
    device_full: DeviceFull, fingerprint: Name, access: Operator
) -> CertificateOut:
    """Revoke a device's certificate for good."""
    with access.writing() as writing:
        found = writing.get("certificate", access.tenant, fingerprint)
        if found is None or _body(found).device_full != device_full:
            raise not_found("certificate", fingerprint)
        writing.revoke([found.key], "revoke")
        held = of_device(writing, "certificate", access.tenant, device_full, with_revoked=True)
    access.registry.wake()
    return next(_certificate_out(one) for one in held if one.key == found.key)


@router.get("/authorities")
def list_authorities(access: Viewer) -> list[AuthorityOut]:
    """List the authorities that the tenant believes."""
    mine = AUTHORITIES.c.tenant == access.tenant
    with access.registry.store.reading() as reading:
        return [_authority_out(one) for one in reading.entries("authority", mine)]


@router.put("/authorities/{name}")
def put_authority(name: Name, wanted: AuthorityIn, access: Admin) -> AuthorityOut:
    """Believe an authority's signature; without a newer list, the one in force stays.

    One that names devices does so for one tenant: a certificate names none.
    """
    check_authority(wanted.certificate)
    if wanted.revocations is not None:
        check_revocations(wanted.revocations, wanted.certificate)
    with access.writing() as writing:
        check_tenant(writing, access.tenant)
        if _is_claimed(writing, access.tenant, wanted):
            raise conflict("this authority is another tenant's already, and one that names devices"
                           " is of one tenant: a certificate names none")  # fmt: skip
        body = AuthorityBody(**wanted.model_dump())
        known = writing.get("authority", access.tenant, name)
        if known is not None and _authority(known).certificate == wanted.certificate:
            body = _renewed(name, _authority(known), body)
        out = _put_authority(writing, access.tenant, name, body)
    access.registry.wake()
    return out


@router.put("/authorities/{name}/revocations")
def put_revocations(name: Name, wanted: RevocationsIn, access: Operator) -> AuthorityOut:
    """Put an authority's newest revocation list in force."""
    with access.writing() as writing:
        found = writing.get("authority", access.tenant, name)
        if found is None:
            raise not_found("authority", name)
        known = _authority(found)
        check_revocations(wanted.revocations, known.certificate)
        body = _renewed(name, known, replace(known, revocations=wanted.revocations))
        out = _put_authority(writing, access.tenant, name, body)
    access.registry.wake()
    return out


@router.delete("/authorities/{name}")
def remove_authority(name: Name, access: Admin) -> AuthorityOut:
    """Believe an authority no more."""
    found = access.entry("authority", name)
    with access.writing() as writing:
        writing.revoke([ChangeKey("authority", access.tenant, name)], "remove")
    access.registry.wake()
    return _authority_out(found)


def _elsewhere(writing: Writing, tenant: str) -> list[AuthorityBody]:
    """Return the authorities of all other tenants."""
    return [_authority(one) for one in writing.entries("authority", AUTHORITIES.c.tenant != tenant)]


def _is_claimed(writing: Writing, tenant: str, wanted: AuthorityIn) -> bool:
    """Say whether another tenant has an authority of this key, and either is to name devices."""
    return any(
        have_one_key(other.certificate, wanted.certificate)
        for other in _elsewhere(writing, tenant)
        if wanted.names_devices or other.names_devices
    )


def _is_named_elsewhere(writing: Writing, tenant: str, certificate: str) -> bool:
    """Say whether an authority that names another tenant's devices signed a certificate."""
    return any(
        other.names_devices and is_signed_by(certificate, other.certificate)
        for other in _elsewhere(writing, tenant)
    )


def _renewed(name: str, known: AuthorityBody, body: AuthorityBody) -> AuthorityBody:
    """Return an authority as it is said anew, with its list in force where no other is given.

    An older list would let in again whom a newer one has named.
    """
    if known.revocations is None:
        return body
    if body.revocations is None:
        return replace(body, revocations=known.revocations)
    if is_older(body.revocations, known.revocations):
        raise conflict(f"a newer revocation list of {name} is in force")
    return body


def _put_authority(writing: Writing, tenant: str, name: str, body: AuthorityBody) -> AuthorityOut:
    writing.put(tenant, name, body, "put")
    found = writing.get("authority", tenant, name)
    assert found is not None
    return _authority_out(found)


def _authority(found: Entry) -> AuthorityBody:
    assert isinstance(found.body, AuthorityBody)
    return found.body


def _body(found: Entry) -> CertificateBody:
    assert isinstance(found.body, CertificateBody)
    return found.body


def _certificate_out(found: Entry) -> CertificateOut:
    body = _body(found)
    return CertificateOut(
        fingerprint=found.key.name,
        device_full=body.device_full,
        serial=body.serial,
        valid_from=body.valid_from,
        valid_until=body.valid_until,
        revoked_at=found.revoked_at,
    )


def _authority_out(found: Entry) -> AuthorityOut:
    body = _authority(found)
    fields = {name: getattr(body, name) for name in AuthorityIn.model_fields}
    return AuthorityOut(name=found.key.name, edition=found.edition, **fields)
