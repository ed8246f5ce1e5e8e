"""A Maven repository on loopback that can be slow of mind: it cuts, refuses and lies."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx

from infra.fetch.download import Repository


@dataclass
class Maven:
    """What the repository holds and how it misbehaves; `asked` lists each request's Range."""

    files: dict[str, bytes]
    cut_after: int | None = None
    cuts: int = 0
    statuses: list[int] = field(default_factory=list)
    knows_range: bool = True
    asked: list[str | None] = field(default_factory=list)
    url: str = ""


@contextmanager
def serving(maven: Maven) -> Iterator[Maven]:
    """Serve it on a free port."""
    handler = type("Handler", (_Handler,), {"maven": maven})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        maven.url = f"http://127.0.0.1:{server.server_port}/maven2"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield maven
        server.shutdown()
        thread.join()


@contextmanager
def asking(maven: Maven, *, tries: int = 3) -> Iterator[Repository]:
    """Open a client of it that never pauses."""
    with httpx.Client(timeout=5, trust_env=False) as client:
        yield Repository(maven.url, client, tries, pause=lambda _: None)


class _Handler(BaseHTTPRequestHandler):
    maven: Maven

    def do_GET(self) -> None:
        asked = self.headers["Range"]
        self.maven.asked.append(asked)
        content = self.maven.files.get(self.path.removeprefix("/maven2/"))
        if self.maven.statuses:
            self.send_error(self.maven.statuses.pop(0))
        elif content is None:
            self.send_error(404)
        else:
            start = self._start(asked)
            self.send_response(206 if start else 200)
            self._send(content[start:])

    def _start(self, asked: str | None) -> int:
        if asked is None or not self.maven.knows_range:
            return 0
        return int(asked.removeprefix("bytes=").removesuffix("-"))

    def _send(self, body: bytes) -> None:
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.maven.cuts:
            self.maven.cuts -= 1
            body = body[: self.maven.cut_after]
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base names it)
        """Keep quiet."""
