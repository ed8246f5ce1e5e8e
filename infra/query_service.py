"""The query service as a service of the stack; ready once it has looked the tables up."""

import sys

from infra.probes import http_complaint
from infra.stack import Mode
from infra.supervision.service import Service
from telemetry.settings import Settings

BUDGET_MB = 200
MEMORY = {
    # Polars has an allocator of its own. It gives back what is free, though not between the steps
    # of one question, of which each would have it mapped anew.
    "_RJEM_MALLOC_CONF": "dirty_decay_ms:300,muzzy_decay_ms:0",
}


def query_service(settings: Settings, mode: Mode) -> Service:
    """Return the query service; it tells who asks by the registry's keys, or by the home's own."""
    url = f"http://127.0.0.1:{settings.port('query')}"
    key = settings.registry_admin_key_file if mode == "full" else settings.query_key_file
    return Service(
        name="query",
        command=lambda: (sys.executable, "-m", "services.query"),
        budget_mb=BUDGET_MB,
        nice=settings.query_nice,
        part="web",
        # A stack that changes its mode must start it anew.
        environment={"HEADWATER_STACK_MODE": mode, **MEMORY},
        ports=(settings.port("query"),),
        url=url,
        login=f"key in {key}",
        after=("kafka", "registry") if mode == "full" else (),
        complaint=lambda: http_complaint(f"{url}/health"),
    )
