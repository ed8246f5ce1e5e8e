"""Authorities and certificates for tests."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


SIGNS = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
"""Python 3.13 believes no authority that does not say so."""
_issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


class Authority:
    """Signs certificates and lists of revoked ones."""

    def __init__(self, common: str = "Test authority", by: "Authority | None" = None) -> None:
        """Make one that signs for itself, or is signed `by` another one."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name, key = _name(common), self._key.public_key()
        self.certificate = (by or self)._signed(self._name, key, is_authority=True)

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        *names: x509.GeneralName,
        is_authority: bool = False,
        life: timedelta = DAY,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder(self._name, subject, key, x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + life)
            .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(_issued_by(self._key.public_key()), critical=False)
        )
        if is_authority:
            builder = builder.add_extension(SIGNS, critical=True)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def again(self) -> str:
        """Return another certificate of its own name and key as PEM."""
        found = self._signed(self._name, self._key.public_key(), is_authority=True)
        return found.public_bytes(serialization.Encoding.PEM).decode()

    def issue(
        self, folder: Path, common: str, *names: x509.GeneralName, life: timedelta = DAY
    ) -> tuple[Path, x509.Certificate]:
        """Return a file with a certificate and its key, and the certificate."""
        key = ec.generate_private_key(ec.SECP256R1())
        found = self._signed(_name(common), key.public_key(), *names, life=life)
        path = folder / f"{found.serial_number:x}.pem"
        path.write_bytes(
            found.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return path, found

    def revocations(self, *certificates: x509.Certificate) -> str:
        """Return a list of these as PEM."""
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder(self._name, now, now + DAY)
        for each in certificates:
            revoked = x509.RevokedCertificateBuilder(each.serial_number, now).build()
            builder = builder.add_revoked_certificate(revoked)
        signed = builder.sign(self._key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM).decode()


def with_strange_key(certificate: x509.Certificate) -> str:
    """Return a certificate of the same names as PEM, whose key is on a curve that nobody knows."""
    known, strange = bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d030163")
    der = certificate.public_bytes(serialization.Encoding.DER)
    assert der.count(known) == 1
    return ssl.DER_cert_to_PEM_cert(der.replace(known, strange))
