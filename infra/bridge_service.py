"""The bridge as a service; ready once it is subscribed at its broker."""

import sys

from infra.probes import http_json
from infra.stack import Mode
from infra.supervision.service import Service
from telemetry.mqtt_address import mqtt_address
from telemetry.settings import Settings

NAME = "bridge"
BUDGET_MB = 150


def is_wanted(settings: Settings) -> bool:
    """Tell whether a broker to read from is named; raise `SettingsError` if it cannot be read."""
    return settings.bridge_broker is not None and bool(mqtt_address(settings.bridge_broker))


def bridge_service(settings: Settings, mode: Mode) -> Service:
    """Return the bridge as a service; it shows its own address, never the broker's."""
    url = f"http://127.0.0.1:{settings.port('bridge')}"
    return Service(
        name=NAME,
        command=lambda: (sys.executable, "-m", "gateway.bridge"),
        budget_mb=BUDGET_MB,
        # A stack that changes its mode must start it anew.
        environment={"HEADWATER_STACK_MODE": mode},
        ports=(settings.port("bridge"),),
        url=url,
        after=("kafka", "registry") if mode == "full" else (),
        complaint=lambda: bridge_complaint(f"{url}/health"),
        stop_wait_s=25,
    )


def bridge_complaint(url: str) -> str | None:
    """Say what keeps messages from coming through, in the bridge's own words; None if nothing."""
    try:
        found = http_json(url)
    except OSError:
        return f"no answer at {url}"
    complaint = found.get("complaint") if isinstance(found, dict) else f"no answer at {url}"
    return None if complaint is None else str(complaint)
