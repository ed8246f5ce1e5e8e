"""The bridge's settings as values: what it logs in with, and how it trusts the broker."""

import ssl

from edge.mqtt.topics import check_filter
from edge.mqtt.wire import MqttError
from gateway.bridge.session import SessionFile
from gateway.bridge.subscriber import Login
from telemetry.errors import SettingsError
from telemetry.mqtt_address import MqttAddress, mqtt_address
from telemetry.settings import Settings


def broker_address(settings: Settings) -> MqttAddress:
    """Return where the broker is, or raise `SettingsError`."""
    if settings.bridge_broker is None:
        raise SettingsError("HEADWATER_BRIDGE_BROKER names no broker: mqtt://host:port")
    return mqtt_address(settings.bridge_broker)


def shared_patterns(settings: Settings) -> tuple[str, ...]:
    """Return the topic filters with their group, or raise `SettingsError`."""
    wanted = [each.strip() for each in settings.bridge_filters.split(",") if each.strip()]
    patterns = tuple(f"$share/{settings.bridge_group}/{each}" for each in wanted)
    if not patterns:
        raise SettingsError("HEADWATER_BRIDGE_FILTERS names no topic filter")
    try:
        for each, pattern in zip(wanted, patterns, strict=True):
            check_filter(each)
            if check_filter(pattern) != each:
                raise SettingsError(f"HEADWATER_BRIDGE_GROUP: {settings.bridge_group!r} holds a /")
    except MqttError as error:
        raise SettingsError(f"HEADWATER_BRIDGE_FILTERS or _GROUP: {error.reason}") from error
    return patterns


def session_file(settings: Settings) -> SessionFile:
    """Return the session's file."""
    return SessionFile(
        settings.bridge_dir / "session.json",
        client_id=settings.bridge_client_id,
        patterns=shared_patterns(settings),
    )


def login(settings: Settings, client_id: str) -> Login:
    """Return what the bridge says of itself."""
    password = settings.bridge_password
    return Login(
        client_id,
        settings.bridge_user,
        password.get_secret_value().encode() if password else None,
        shared_patterns(settings),
        settings.bridge_qos,
        settings.bridge_window,
        settings.bridge_session_s,
        settings.bridge_keep_alive_s,
    )


def client_context(settings: Settings, address: MqttAddress) -> ssl.SSLContext | None:
    """Return how TLS is spoken: 1.2 or newer, the broker's name checked; None for `mqtt://`."""
    if not address.is_tls:
        return None
    try:
        context = ssl.create_default_context(cafile=settings.bridge_authorities)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if settings.bridge_certificate is not None:
            context.load_cert_chain(settings.bridge_certificate, settings.bridge_certificate_key)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"HEADWATER_BRIDGE_AUTHORITIES, _CERTIFICATE or _CERTIFICATE_KEY: {error}: they name"
            " PEM files"
        ) from error
    return context
