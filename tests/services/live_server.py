"""A query service of a test's own on a port of its own, following the lake as in life."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response
from websockets.sync.client import ClientConnection, connect

from services.query.start import configured, keep_up
from telemetry.tables import DEVICE_MINUTE, ZONE_MINUTE
from tests.services.query_lake import Reading, TestLake, put, windows
from tests.services.query_parts import TestedQueries

MINUTE = 60_000_000
Event = dict[str, Any]


class LiveServer:
    """The running service, its lake, and those who watch it."""

    def __init__(self, home: Path, **settings: Any) -> None:
        self.lake = TestLake(home / "lake")
        self.queries = TestedQueries(home, query_rate=0.0, **settings)
        self.server = uvicorn.Server(configured(self.queries.app, "127.0.0.1", 0))
        self.queries.service.live.is_over = lambda: self.server.should_exit
        self.port = 0

    @property
    def counts(self) -> dict[str, int]:
        """Return the service's own counts."""
        found: dict[str, int] = self.get("/health").json()["live"]
        return found

    def get(self, path: str, **query: object) -> httpx.Response:
        """Ask once."""
        key = {"Authorization": f"Bearer {self.queries.local_key}"}
        url = f"http://127.0.0.1:{self.port}{path}"
        return httpx.get(url, params={k: str(v) for k, v in query.items()}, headers=key)

    @contextmanager
    def events(self, key: str = "", **query: Any) -> Iterator[Iterator[Event]]:
        """Watch by server-sent events; `last` is sent as Last-Event-ID."""
        headers = {"Authorization": f"Bearer {key or self.queries.local_key}"}
        if last := query.pop("last", None):
            headers["Last-Event-ID"] = last
        url = f"http://127.0.0.1:{self.port}/v1/live"
        with httpx.stream("GET", url, params=query, headers=headers, timeout=20) as answer:
            assert answer.status_code == 200, answer.read()
            yield _events(answer.iter_lines())

    def socket(self, key: str = "", **query: object) -> ClientConnection:
        """Watch by WebSocket, with the key where a browser puts it."""
        asked = httpx.QueryParams({name: str(value) for name, value in query.items()})
        names = ["headwater.live", f"bearer.{key or self.queries.local_key}"]
        return connect(f"ws://127.0.0.1:{self.port}/v1/live?{asked}", subprotocols=names)  # type: ignore[arg-type]

    def refusal(self, key: str = "", **query: object) -> Response:
        """Return what a WebSocket that is not let in is answered."""
        try:
            with self.socket(key, **query):
                raise AssertionError("let in")
        except InvalidStatus as refused:
            return refused.response

    def close_minute(self, start_us: int, value: float, device: str = "meter.m1") -> None:
        """Put one final minute of a device and of its zone into gold."""
        self._close([Reading(start_us, value, device=device)], start_us + MINUTE)

    def close_windows(self, final_us: int) -> None:
        """Put the minutes of all that has landed into gold."""
        self._close(self.lake.readings, final_us)

    def _close(self, readings: list[Reading], final_us: int) -> None:
        for table, subject in ((ZONE_MINUTE, "zone"), (DEVICE_MINUTE, "device_full")):
            rows = windows(readings, MINUTE, final_us, subject)
            for row in rows:
                start = row["window_start"]
                assert isinstance(start, datetime)
                row["window_period"] = start.date()
            put(self.lake.root, table, rows)


def _events(lines: Iterator[str]) -> Iterator[Event]:
    for line in lines:
        if line.startswith("data: "):
            found: Event = json.loads(line.removeprefix("data: "))
            yield found


def first(events: Iterator[Event], kind: str) -> Event:
    """Return the next event of a kind."""
    return next(event for event in events if event["type"] == kind)


@contextmanager
def served(live: LiveServer) -> Iterator[LiveServer]:
    """Serve and follow until the end of the block."""
    live.queries.service.latest.state()
    stopping = threading.Event()
    threads = [
        threading.Thread(target=live.server.run),
        threading.Thread(target=keep_up, args=(live.queries.service, stopping)),
    ]
    for thread in threads:
        thread.start()
    try:
        give_up = time.monotonic() + 30
        while not live.server.started:
            assert time.monotonic() < give_up
            time.sleep(0.01)
        live.port = live.server.servers[0].sockets[0].getsockname()[1]
        yield live
    finally:
        stopping.set()
        live.queries.service.live.follower.woken.set()
        live.server.should_exit = True
        for thread in threads:
            thread.join(30)
