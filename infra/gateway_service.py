"""The gateway as a service; ready once it answers over HTTP."""

import sys

from edge.outboxes import in_url, reachable
from infra.probes import http_complaint, port_complaint
from infra.stack import Mode
from infra.supervision.service import Service
from telemetry.settings import Settings

BUDGET_MB = 150
PORTS = ("gateway_http", "gateway_mqtt", "gateway_mqtts")


def gateway_service(settings: Settings, mode: Mode) -> Service:
    """Return the gateway as a service."""
    return Service(
        name="gateway",
        command=lambda: (sys.executable, "-m", "gateway"),
        budget_mb=BUDGET_MB,
        # A stack that changes its mode must start it anew.
        environment={"HEADWATER_STACK_MODE": mode},
        ports=tuple(settings.port(name) for name in PORTS),
        datagram_ports=(settings.port("gateway_coap"),),
        url=f"mqtt://{in_url(settings.gateway_host)}:{settings.port('gateway_mqtt')}",
        after=("kafka", "registry") if mode == "full" else (),
        complaint=lambda: gateway_complaint(settings),
    )


def gateway_complaint(settings: Settings) -> str | None:
    """Say why the gateway does not answer; None if it does."""
    host, port = reachable(settings.gateway_host), settings.port("gateway_http")
    if settings.gateway_certificate is not None:
        return port_complaint(port, host)
    return http_complaint(f"http://{in_url(host)}:{port}/health")
