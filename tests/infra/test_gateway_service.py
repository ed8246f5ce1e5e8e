"""Whether the gateway answers is asked where it listens."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from infra.gateway_service import gateway_complaint, gateway_service
from telemetry.settings import Settings
from tests.end_to_end.stack import free_port_base

ELSEWHERE = "127.0.0.2"


class _Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_request(self, code: object = "-", size: object = "-") -> None:
        return None


@pytest.fixture
def listening() -> Iterator[Settings]:
    settings = Settings(port_base=free_port_base(), gateway_host=ELSEWHERE)
    server = HTTPServer((ELSEWHERE, settings.port("gateway_http")), _Healthy)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield settings
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("certificate", [None, Path("chain.pem")])
def test_gateway_is_asked_at_its_own_address(listening: Settings, certificate: Path | None) -> None:
    settings = listening.model_copy(update={"gateway_certificate": certificate})

    assert gateway_complaint(settings) is None
    assert gateway_complaint(settings.model_copy(update={"gateway_host": "127.0.0.1"}))


def test_address_of_ipv6_is_shown_in_brackets() -> None:
    settings = Settings(port_base=free_port_base(), gateway_host="::1")

    shown = gateway_service(settings, "light").url

    assert shown == f"mqtt://[::1]:{settings.port('gateway_mqtt')}"
