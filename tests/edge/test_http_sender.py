"""Devices over HTTP whose gateway, or a proxy before it, tells them to come again."""

import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from edge.device_outbox import DeviceOutbox
from edge.http_sender import MOST_AT_ONCE, HttpSender
from edge.outbox import OutRecord

PATIENCE_S = 30.0


class Gateway(BaseHTTPRequestHandler):
    """Refuses some devices once, as a test says, and takes all else."""

    protocol_version = "HTTP/1.1"
    refused: ClassVar[dict[str, int]] = {}
    """How often devices are refused still; others are not."""
    again: ClassVar[tuple[str, bytes]] = ("", b"")
    """What a refusal says: its `Retry-After` and its body."""
    asked: ClassVar[list[tuple[str, float]]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        device = self.path.split("/")[2]
        self.asked.append((device, time.monotonic()))
        is_refused = self.refused.get(device, 0) > 0
        self.refused[device] = self.refused.get(device, 0) - 1
        body = self.again[1] if is_refused else b""
        self.send_response(503 if is_refused else 202)
        if is_refused:
            self.send_header("Retry-After", self.again[0])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_said: object) -> None:
        """Say nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    Gateway.asked.clear()
    Gateway.refused.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    server.request_queue_size = 128
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join(10)
    server.server_close()


def _note(told: list[str], name: str, _at: int) -> None:
    told.append(name)


def sent(url: str, devices: list[str], within_s: float) -> list[str]:
    """Send a record of each device; return whose were acknowledged in time, in that order."""
    told: list[str] = []
    with DeviceOutbox(lambda settled: HttpSender(settled, url, lambda _name: "t")) as outbox:
        for name in devices:
            record = OutRecord(name.encode(), b'{"metrics":{"a":1}}', [])
            outbox.send(record, partial(_note, told, name))
        give_up = time.monotonic() + within_s
        while outbox.poll(0.05) and time.monotonic() < give_up:
            pass
        found = told.copy()
        Gateway.refused.clear()
    return found


def test_date_after_which_to_come_again_does_not_hold_up_a_device(url: str) -> None:
    Gateway.refused["d1"] = 1
    Gateway.again = ("Wed, 21 Oct 2026 07:28:00 GMT", b"")

    assert sent(url, ["d1"], PATIENCE_S) == ["d1"]
    assert len(Gateway.asked) == 2


@pytest.mark.parametrize(
    ("again", "least_s", "most_s"),
    [
        (("2", b""), 2.0, PATIENCE_S),
        (("9", b'{"reason":"rate","retry_after_s":0.25}'), 0.25, 8.0),
        (("1", b'{"retry_after_s":"soon"}'), 1.0, PATIENCE_S),
        (("1", b"[]"), 1.0, PATIENCE_S),
    ],
)
def test_device_comes_again_no_sooner_than_it_was_told(
    url: str, again: tuple[str, bytes], least_s: float, most_s: float
) -> None:
    Gateway.refused["d1"] = 1
    Gateway.again = again

    assert sent(url, ["d1"], PATIENCE_S) == ["d1"]
    (_, first), (_, second) = Gateway.asked
    assert least_s <= second - first < most_s


def test_devices_that_wait_do_not_hold_up_others(url: str) -> None:
    waiting = [f"w{number}" for number in range(MOST_AT_ONCE)]
    Gateway.refused |= dict.fromkeys(waiting, 1)
    Gateway.again = ("4", b"")

    first, *rest = sent(url, [*waiting, "other"], PATIENCE_S)

    assert first == "other"
    assert set(rest) == set(waiting)
