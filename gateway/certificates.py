"""Client certificates: which device one names, and whether it is still good."""

from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256

from gateway.directory import Directory
from gateway.identity import Identity
from telemetry.changes import AuthorityBody
from telemetry.devices import Device, check_name
from telemetry.errors import DeviceError

URI_PREFIX = "device:"
FEW = 4
MOST_ABOVE = 16
"""Authorities above a device, of all ways up; whoever has more of them is let in by none."""


def certificate_identity(der: bytes, directory: Directory, *, now: float) -> Identity | None:
    """Return the device of a certificate that the handshake verified, or None."""
    try:
        certificate = x509.load_der_x509_certificate(der)
    except ValueError:
        return None
    moment = datetime.fromtimestamp(now, UTC)
    if not certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc:
        return None
    if is_revoked(certificate, directory) or is_distrusted(certificate, directory):
        return None
    fingerprint = certificate.fingerprint(SHA256()).hex()
    expires_at = certificate.not_valid_after_utc.timestamp()
    known = directory.certificates.get(fingerprint)
    if known is not None and is_owned(certificate, known[0], directory):
        tenant, body = known
        if body.serial != f"{certificate.serial_number:x}" or body.valid_until < moment:
            return None
        device = directory.device(tenant, body.device_full)
        if device is None:
            return None
        name = f"certificate/{fingerprint}"
        until = min(expires_at, body.valid_until.timestamp())
        durability = device.durability or "industrial"
        found = Identity(tenant, body.device_full, name, until, durability, expires_at)
    else:
        chained = _by_chain(certificate, directory, expires_at)
        if chained is None:
            return None
        found = chained
    return found._replace(certificate=der)


def _by_chain(
    certificate: x509.Certificate, directory: Directory, expires_at: float
) -> Identity | None:
    """Believe the name in a certificate whose authority may name devices."""
    name = named_device(certificate)
    for (tenant, authority), body in directory.authorities.items():
        if not body.names_devices or not is_issued_by(certificate, body):
            continue
        if is_revoked(_authority(body.certificate), directory):
            continue
        device: Device | None = directory.device(tenant, name) if name else None
        if name and device:
            kept = device.durability or "industrial"
            return Identity(
                tenant,
                name,
                f"authority/{authority}",
                expires_at,
                kept,
                expires_at,
                digest_of(body.certificate),
            )
    return None


def is_owned(certificate: x509.Certificate, tenant: str, directory: Directory) -> bool:
    """Say whether a certificate may be a tenant's by its fingerprint.

    It is public: another tenant that registers it must not take it from whom its authority names.
    """
    naming = {
        owner
        for (owner, _), body in directory.authorities.items()
        if body.names_devices and is_issued_by(certificate, body)
    }
    return not naming or tenant in naming


def named_device(certificate: x509.Certificate) -> str | None:
    """Return the full name in the SAN URI `device:{full name}`, else in the CN."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        uris = extension.value.get_values_for_type(x509.UniformResourceIdentifier)
    except x509.ExtensionNotFound:
        uris = []
    names = [uri.removeprefix(URI_PREFIX) for uri in uris if uri.startswith(URI_PREFIX)]
    common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    names += [str(attribute.value) for attribute in common]
    try:
        return check_name(names[0]) if names else None
    except DeviceError:
        return None


def is_revoked(certificate: x509.Certificate, directory: Directory) -> bool:
    """Say whether the newest list of its authority names it, or one above it is so named."""
    if not any(body.revocations for body in directory.authorities.values()):
        return False
    if _is_listed(certificate, directory):
        return True
    above = _named_issuers(certificate, directory)
    # The signature last, as below, but where many have one name: each of them may be anybody's.
    if len(above) > FEW:
        above = _signers(certificate, above)
    if not any(_is_authority_revoked(each, directory) for each in above):
        return False
    # Of one key there may be an older certificate that is revoked, and a newer one that is not.
    signers = _signers(certificate, above)
    return bool(signers) and all(_is_authority_revoked(each, directory) for each in signers)


def _is_authority_revoked(pem: str, directory: Directory) -> bool:
    known = directory.revoked.get(pem)
    if known is None:
        known = directory.revoked[pem] = pem in _revoked_above(pem, directory)
    return known


def _revoked_above(pem: str, directory: Directory) -> set[str]:
    """Return which of an authority and those above it are revoked, itself where they are many."""
    above: dict[str, set[str]] = {}
    waiting = [pem]
    while waiting:
        one = waiting.pop()
        if one in above:
            continue
        if len(above) == MOST_ABOVE:
            return {pem}
        above[one] = _issuers(one, directory)
        waiting += above[one]
    revoked = {each for each in above if _is_listed(_authority(each), directory)}
    while True:
        more = {each for each, signers in above.items() if signers and signers <= revoked}
        if more <= revoked:
            return revoked
        revoked |= more


def _issuers(pem: str, directory: Directory) -> set[str]:
    """Return who signed an authority; nobody stands above one that signed itself."""
    certificate = _authority(pem)
    if _is_signed_by(certificate, pem):
        return set()
    return _signers(certificate, _named_issuers(certificate, directory))


def _signers(certificate: x509.Certificate, authorities: set[str]) -> set[str]:
    return {each for each in authorities if _is_signed_by(certificate, each)}


def _named_issuers(certificate: x509.Certificate, directory: Directory) -> set[str]:
    """Return the authorities whose name a certificate's issuer has, as PEM."""
    known = (*directory.authorities.values(), *directory.configured)
    pems = {body.certificate for body in known} | directory.between.keys()
    return {pem for pem in pems if _has_name(pem, certificate.issuer)}


def _has_name(pem: str, name: x509.Name) -> bool:
    try:
        return _authority(pem).subject == name
    except ValueError:
        return False


def _is_listed(certificate: x509.Certificate, directory: Directory) -> bool:
    for body in directory.authorities.values():
        if body.revocations:
            listed = _revocations(body.revocations, body.certificate)
            # The signature last: it costs most, and a new list is held against each session.
            if certificate.serial_number in listed and is_issued_by(certificate, body):
                return True
    return False


def is_distrusted(certificate: x509.Certificate, directory: Directory) -> bool:
    """Say whether an authority that is gone issued it, and none that is there.

    A TLS session that is resumed shows its certificate without a handshake's check of the chain.
    """
    removed = directory.removed.values()
    if not any(is_issued_by(certificate, body) for body in removed):
        return False
    believed = (*directory.authorities.values(), *directory.configured)
    return not any(is_issued_by(certificate, body) for body in believed)


@lru_cache(maxsize=64)
def digest_of(pem: str) -> str:
    """Return the digest that an identity keeps of its authority."""
    return sha256(pem.encode()).hexdigest()


def is_issued_by(certificate: x509.Certificate, body: AuthorityBody) -> bool:
    """Say whether an authority signed a certificate."""
    return _is_signed_by(certificate, body.certificate)


def _is_signed_by(certificate: x509.Certificate, authority: str) -> bool:
    try:
        certificate.verify_directly_issued_by(_authority(authority))
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        # Its key may be of a kind that nobody here reads: another authority of its name may be it.
        return False
    return True


@lru_cache(maxsize=1_024)
def _authority(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


@lru_cache(maxsize=64)
def _revocations(pem: str, authority: str) -> frozenset[int]:
    """Return the serials of a list that its authority signed; somebody else's list is empty."""
    found = x509.load_pem_x509_crl(pem.encode())
    key = _authority(authority).public_key()
    if not found.is_signature_valid(key):  # type: ignore[arg-type]
        return frozenset()
    return frozenset(revoked.serial_number for revoked in found)
