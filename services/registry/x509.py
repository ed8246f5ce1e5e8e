"""Certificates of devices and of those who sign them, read from PEM."""

import ssl
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar, cast

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPublicKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from telemetry.changes import Algorithm, CertificateBody
from telemetry.errors import HeadwaterError

Read = TypeVar("Read")
LEAST_RSA_BITS = 2048
KEY_TYPES: dict[Algorithm, type] = {
    "RS256": rsa.RSAPublicKey,
    "ES256": ec.EllipticCurvePublicKey,
    "EdDSA": ed25519.Ed25519PublicKey,
}


def read_certificate(device_full: str, pem: str, now: datetime) -> tuple[str, CertificateBody]:
    """Return a device's certificate by its fingerprint; raise if it is none or over."""
    certificate = _certificate(pem)
    if certificate.not_valid_after_utc <= now:
        raise HeadwaterError(f"the certificate ended at {certificate.not_valid_after_utc}")
    body = CertificateBody(
        device_full,
        f"{certificate.serial_number:x}",
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
    )
    return certificate.fingerprint(hashes.SHA256()).hex(), body


def check_authority(pem: str) -> None:
    """Raise unless the certificate may sign others."""
    certificate = _certificate(pem)
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        may_sign = constraints.value.ca
    except (x509.ExtensionNotFound, ValueError):
        may_sign = False
    if not may_sign:
        raise HeadwaterError("the certificate is no authority's: its basic constraints lack CA")
    _read("certificate with a key that is known", certificate.public_key)
    try:
        # As the gateway's TLS reads it: to its end, where another one may stand that is not whole.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cadata=pem)
    except ssl.SSLError as error:
        raise HeadwaterError(f"TLS does not take it: {error}") from error


def have_one_key(pem: str, other: str) -> bool:
    """Say whether two certificates are of one key: who signs by it signs for both."""
    first, second = (_certificate(each).public_key() for each in (pem, other))
    return first == second


def is_signed_by(pem: str, authority: str) -> bool:
    """Say whether an authority signed a certificate."""
    try:
        _certificate(pem).verify_directly_issued_by(_certificate(authority))
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def check_revocations(pem: str, authority: str) -> None:
    """Raise unless the revocation list is signed by the authority."""
    found = _read("revocation list", lambda: x509.load_pem_x509_crl(pem.encode()))
    key = cast(CertificateIssuerPublicKeyTypes, _certificate(authority).public_key())
    try:
        is_signed = found.is_signature_valid(key)
    except TypeError:  # a key that cannot sign lists
        is_signed = False
    if not is_signed:
        raise HeadwaterError("the revocation list is not signed by this authority")


def is_older(revocations: str, in_force: str) -> bool:
    """Say whether a revocation list was made before the one in force: it would take back some."""
    given, known = (x509.load_pem_x509_crl(pem.encode()) for pem in (revocations, in_force))
    return given.last_update_utc < known.last_update_utc


def check_public_key(pem: str, algorithm: Algorithm) -> None:
    """Raise unless the key is one of the algorithm."""
    key = _read("public key", lambda: load_pem_public_key(pem.encode()))
    is_p256 = not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name == "secp256r1"
    if not isinstance(key, KEY_TYPES[algorithm]) or not is_p256:
        raise HeadwaterError(f"the public key is not one of {algorithm}")
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < LEAST_RSA_BITS:
        raise HeadwaterError(f"a key of RS256 has {LEAST_RSA_BITS} bits or more (RFC 7518, 3.3)")


def _certificate(pem: str) -> x509.Certificate:
    return _read("certificate", lambda: x509.load_pem_x509_certificate(pem.encode()))


def _read(what: str, read: Callable[[], Read]) -> Read:
    try:
        return read()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise HeadwaterError(f"not a {what} in PEM: {error}") from error
