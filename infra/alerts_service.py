"""The alerts service as a service of the full stack; ready once it answers."""

import sys

from infra.probes import http_complaint
from infra.supervision.service import Service
from telemetry.settings import Settings

BUDGET_MB = 150


def alerts_service(settings: Settings) -> Service:
    """Return the alerts service; it reads Kafka, so the light stack has none."""
    url = f"http://127.0.0.1:{settings.port('alerts')}"
    return Service(
        name="alerts",
        command=lambda: (sys.executable, "-m", "services.alerts"),
        budget_mb=BUDGET_MB,
        ports=(settings.port("alerts"),),
        url=url,
        login=f"key in {settings.registry_admin_key_file}",
        after=("kafka", "registry"),
        complaint=lambda: http_complaint(f"{url}/health"),
    )
