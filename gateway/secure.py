"""TLS of the gateway's ports: 1.2 or newer, devices' certificates asked for, never demanded."""

import ssl
import sys

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.directory import Directory
from telemetry.changes import AuthorityBody
from telemetry.errors import SettingsError
from telemetry.settings import Settings

MOST_BETWEEN = 256
"""Authorities between a device's and a known one; those seen last are kept."""


def server_context(
    settings: Settings, directory: Directory, *, speaks: tuple[str, ...] = ()
) -> ssl.SSLContext | None:
    """Return the context of a TLS port, None where no certificate is configured.

    `speaks` are the protocols that it offers by ALPN.
    """
    return Trust(settings, directory, speaks).context if settings.gateway_certificate else None


def shown_certificate(connection: ssl.SSLObject, directory: Directory) -> bytes | None:
    """Return the certificate that a client showed, as DER, and keep who stands between.

    They are kept for longer than the connection: a TLS session that is resumed shows none of them.
    """
    for der in _verified(connection)[1:-1]:
        pem = ssl.DER_cert_to_PEM_cert(der)
        if pem not in directory.between:
            directory.revoked.clear()
        directory.between.pop(pem, None)
        directory.between[pem] = None
        if len(directory.between) > MOST_BETWEEN:
            del directory.between[next(iter(directory.between))]
    return connection.getpeercert(binary_form=True)


def _verified(connection: ssl.SSLObject) -> list[bytes]:
    """Return the chain from the client's certificate up to an authority that is believed."""
    if sys.version_info >= (3, 13):
        return connection.get_verified_chain()
    # Until then Python has it for itself alone.
    chain = connection._sslobj.get_verified_chain()  # type: ignore[attr-defined]
    return [ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in chain or ()]


class Trust:
    """Whose certificates a new connection may show: the authorities of settings and registry.

    A context forgets no authority. So another one is made once the registry's have changed, and
    every handshake goes on with the newest instead of the one that its port was opened with.
    """

    def __init__(
        self, settings: Settings, directory: Directory, speaks: tuple[str, ...] = ()
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._speaks = speaks
        self._trusted = self._named()
        self.context = self._newest = _context(settings, self._trusted, speaks)
        directory.configured = _configured(settings)
        self.context.sni_callback = self._handshake

    def _named(self) -> frozenset[str]:
        """Return the registry's authorities as PEM."""
        return frozenset(body.certificate for body in self._directory.authorities.values())

    def _handshake(
        self, connection: ssl.SSLObject, _server_name: str | None, _context: ssl.SSLContext
    ) -> None:
        """Have a connection that begins believe the authorities of now."""
        named = self._named()
        if named != self._trusted:
            self._trusted = named
            self._renew()
        connection.context = self._newest

    def _renew(self) -> None:
        try:
            self._newest = _context(self._settings, self._trusted, self._speaks)
            self._directory.configured = _configured(self._settings)
        except SettingsError as error:
            # Devices with passwords must come in still; `certificates` refuses what is distrusted.
            print(f"gateway: authorities are as before: {error}", file=sys.stderr, flush=True)  # noqa: T201


def _configured(settings: Settings) -> tuple[AuthorityBody, ...]:
    """Return the settings' authorities, which a context has read without complaint."""
    if settings.gateway_authorities is None:
        return ()
    found = x509.load_pem_x509_certificates(settings.gateway_authorities.read_bytes())
    return tuple(AuthorityBody(each.public_bytes(Encoding.PEM).decode()) for each in found)


def _context(
    settings: Settings, authorities: frozenset[str], speaks: tuple[str, ...]
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if speaks:
        context.set_alpn_protocols(speaks)
    _load(context, settings)
    for pem in authorities:
        try:
            context.load_verify_locations(cadata=pem)
        except ssl.SSLError as error:
            # One tenant's must keep no other's devices out, nor the gateway from starting.
            said = f"gateway: an authority of the registry is left out: {error}"
            print(said, file=sys.stderr, flush=True)  # noqa: T201
    # Devices may show a password instead, so a certificate is optional; one that is shown must
    # hold against an authority, which may be one that another has signed.
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _load(context: ssl.SSLContext, settings: Settings) -> None:
    """Take up what the settings name."""
    certificate, authorities = settings.gateway_certificate, settings.gateway_authorities
    try:
        context.load_cert_chain(str(certificate), settings.gateway_certificate_key)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"HEADWATER_GATEWAY_CERTIFICATE={certificate}: {error}: it needs a"
            " PEM chain with its key, or the key in HEADWATER_GATEWAY_CERTIFICATE_KEY"
        ) from error
    try:
        if authorities is not None:
            context.load_verify_locations(authorities)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"HEADWATER_GATEWAY_AUTHORITIES={authorities}: {error}: it names a file of PEM"
            " certificates"
        ) from error
