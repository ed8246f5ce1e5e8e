"""The bridge as a service: what it is told, what it shows, what it says of itself."""

import http.server
import threading
from collections.abc import Iterator
from typing import ClassVar

import pytest

from infra.bridge_service import bridge_complaint, bridge_service, is_wanted
from telemetry.errors import SettingsError
from telemetry.settings import Settings

BROKER = "mqtts://broker.example"


class Answering(http.server.BaseHTTPRequestHandler):
    """Answers what a test says."""

    body: ClassVar[bytes] = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        return None


@pytest.fixture
def url() -> Iterator[str]:
    server = http.server.HTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/health"
    server.shutdown()
    thread.join()
    server.server_close()


def test_bridge_is_wanted_where_a_broker_is_named() -> None:
    assert is_wanted(Settings(bridge_broker=BROKER))
    assert not is_wanted(Settings())
    with pytest.raises(SettingsError):
        is_wanted(Settings(bridge_broker="broker"))


def test_password_is_in_no_command_and_no_address() -> None:
    settings = Settings(bridge_broker=BROKER, bridge_user="me", bridge_password="hunter2")  # type: ignore[arg-type]
    service = bridge_service(settings, "full")

    assert "hunter2" not in f"{service.command()} {service.url} {service.login} {settings}"
    assert BROKER not in f"{service.command()} {service.url}"


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b'{"state": "running", "complaint": null}', None),
        (b'{"state": "degraded", "complaint": "mqtt://b:1883: refused"}', "mqtt://b:1883: refused"),
        (b"[]", "no answer"),
        (b"rubbish", "no answer"),
    ],
)
def test_service_repeats_what_the_bridge_complains_of(
    url: str, body: bytes, complaint: str | None
) -> None:
    Answering.body = body
    found = bridge_complaint(url)

    assert found == complaint or (complaint and found and found.startswith(complaint))
