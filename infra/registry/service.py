"""The registry as a service of the stack."""

import sys

from infra.probes import http_complaint
from infra.supervision.service import Service
from telemetry.settings import Settings

BUDGET_MB = 150


def registry_service(settings: Settings) -> Service:
    """Return the registry as a service; ready once it answers."""
    url = f"http://127.0.0.1:{settings.port('registry')}"
    return Service(
        name="registry",
        command=lambda: (sys.executable, "-m", "services.registry"),
        budget_mb=BUDGET_MB,
        ports=(settings.port("registry"),),
        url=url,
        login=f"key in {settings.registry_admin_key_file}",
        after=("kafka",),
        complaint=lambda: http_complaint(f"{url}/health"),
    )
