"""Where somebody's MQTT broker is reached, as a setting names it; never with a password."""

from typing import NamedTuple
from urllib.parse import urlsplit

from telemetry.errors import SettingsError

PORTS = {"mqtt": 1883, "mqtts": 8883}


class MqttAddress(NamedTuple):
    """A broker's host and port, and whether TLS is spoken there."""

    host: str
    port: int
    is_tls: bool

    def __str__(self) -> str:
        scheme = "mqtts" if self.is_tls else "mqtt"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{self.port}"


def mqtt_address(url: str) -> MqttAddress:
    """Read `mqtt://host[:port]` or `mqtts://…`; raise `SettingsError`, which repeats no secret."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise SettingsError(_WANTED) from None
    if "@" in parts.netloc:
        raise SettingsError(
            "HEADWATER_BRIDGE_BROKER holds a user or password: give them in HEADWATER_BRIDGE_USER"
            " and HEADWATER_BRIDGE_PASSWORD, which no log shows"
        )
    is_plain = parts.path in ("", "/") and not parts.query and not parts.fragment
    if parts.scheme not in PORTS or not parts.hostname or not is_plain:
        raise SettingsError(_WANTED)
    return MqttAddress(parts.hostname, port or PORTS[parts.scheme], parts.scheme == "mqtts")


_WANTED = "HEADWATER_BRIDGE_BROKER is not mqtt://host, mqtt://host:port, or mqtts:// for TLS"
