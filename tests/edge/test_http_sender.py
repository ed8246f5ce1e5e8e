"""Devices over HTTP behind a proxy, which has words of its own."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from edge.device_outbox import DeviceOutbox
from edge.http_sender import HttpSender
from edge.outbox import OutRecord


class Proxy(BaseHTTPRequestHandler):
    """Answers the first request that its gateway is away, and the next one that all is well."""

    protocol_version = "HTTP/1.1"
    asked = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        Proxy.asked += 1
        self.send_response(503 if Proxy.asked == 1 else 202)
        self.send_header("Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_said: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    Proxy.asked = 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join(10)
    server.server_close()


def test_date_after_which_to_come_again_does_not_hold_up_a_device(url: str) -> None:
    told: list[int] = []
    with DeviceOutbox(lambda settled: HttpSender(settled, url, lambda _name: "t")) as outbox:
        outbox.send(OutRecord(b"d1", b'{"metrics":{"a":1}}', []), told.append)
        give_up = time.monotonic() + 10
        while outbox.poll(0.05) and time.monotonic() < give_up:
            pass
        assert len(told) == 1
    assert Proxy.asked == 2
