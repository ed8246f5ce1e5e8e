"""TLS of the gateway's ports: 1.2 or newer, devices' certificates asked for, never demanded."""

import ssl

from gateway.directory import Directory
from telemetry.errors import SettingsError
from telemetry.settings import Settings


def server_context(settings: Settings, directory: Directory) -> ssl.SSLContext | None:
    """Return the context of the TLS ports, None where no certificate is configured."""
    if settings.gateway_certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.gateway_certificate, settings.gateway_certificate_key)
        if settings.gateway_authorities is not None:
            context.load_verify_locations(settings.gateway_authorities)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"HEADWATER_GATEWAY_CERTIFICATE={settings.gateway_certificate}: {error}: it needs a"
            " PEM chain with its key, or the key in HEADWATER_GATEWAY_CERTIFICATE_KEY"
        ) from error
    # Devices may show a password instead, so a certificate is optional; one that is shown must
    # hold against an authority.
    context.verify_mode = ssl.CERT_OPTIONAL
    trust(context, directory)
    return context


def trust(context: ssl.SSLContext, directory: Directory) -> None:
    """Have the context believe the registry's authorities; new ones as they come."""
    for body in directory.authorities.values():
        context.load_verify_locations(cadata=body.certificate)
