"""A sink of a test's own over HTTP: it takes, refuses, hangs, or is killed, as it is told."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, cast

Mood = Literal["takes", "fails", "refuses", "hangs", "takes and says nothing"]


@dataclass(slots=True)
class Posted:
    """A request that the sink has taken."""

    key: str
    headers: dict[str, str]
    body: bytes
    at: float
    """When it came, in seconds since 1970."""

    @property
    def content(self) -> Any:
        """The message."""
        return json.loads(self.body)


@dataclass(slots=True)
class SinkServer:
    """What the server has taken, and how it behaves now."""

    url: str = ""
    mood: Mood = "takes"
    taken: list[Posted] = field(default_factory=list)
    asked: int = 0
    let_go: threading.Event = field(default_factory=threading.Event)

    def keys(self) -> list[str]:
        """Return the keys of what was taken, the first time each."""
        return list(dict.fromkeys(each.key for each in self.taken))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    sink: SinkServer

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of connections that tests break."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        sink = cast(_Server, self.server).sink
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            # Who sent it was killed on the way: that is no request.
            self.close_connection = True
            return
        sink.asked += 1
        if sink.mood == "hangs":
            sink.let_go.wait(30)
            self.close_connection = True
            return
        if sink.mood.startswith("takes"):
            headers = dict(self.headers.items())
            came = Posted(headers["Idempotency-Key"], headers, body, time.time())
            sink.taken.append(came)
        if sink.mood == "takes and says nothing":
            self.close_connection = True
            return
        self.send_response({"fails": 500, "refuses": 410}.get(sink.mood, 204))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is given
        """Say nothing."""


@contextmanager
def sink_server(port: int = 0, sink: SinkServer | None = None) -> Iterator[SinkServer]:
    """Run a sink; it is gone with its port when the block ends."""
    found = sink or SinkServer()
    server = _Server(("127.0.0.1", port), _Handler)
    server.sink = found
    found.url = f"http://127.0.0.1:{server.server_address[1]}/in"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield found
    finally:
        found.let_go.set()
        server.shutdown()
        server.server_close()
        thread.join()
