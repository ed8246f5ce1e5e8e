"""200 people at a dashboard and 50 clients of the query API, while 5,000 messages/s land.

`make bench BENCH=viewers OUT=build/viewers.json`: the whole stack, Superset included. How fresh
silver is, first alone and then with all of them: whoever looks must not hold up what lands.
A viewer has *Fleet now* open, asks for each of its panels in turn, and again after its refresh;
a client asks for the last quarter of an hour of some device each second.
"""

import asyncio
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from benchmarks.freshness import Freshness, Watcher
from benchmarks.report import Figures, parser, quantiles, report
from benchmarks.sustained import WARM_UP_S, start_fleet
from infra.superset.logins import read_logins
from telemetry.settings import Settings
from tests.dashboards.bundle import Panel, charts_of, panels, read
from tests.dashboards.client import log_in
from tests.end_to_end.stack import Stack, free_port_base

DASHBOARD = "fleet_now"
EACH_S = 1.0
PATIENCE_S = 120.0
LOOKERS_NICE = 10
"""Browsers and clients have machines of their own; here they take what the stack leaves."""
LIMIT_SLOWER = 1.5
"""Of silver's freshness with viewers to that without: what passes for untouched on two cores."""


@dataclass(slots=True)
class Asked:
    """What some asked: answers by status, and how long each took."""

    statuses: Counter[str] = field(default_factory=Counter)
    took_s: list[float] = field(default_factory=list)

    async def ask(self, answer: Awaitable[httpx.Response]) -> None:
        """Wait for an answer and take note of it; an error of the connection is one too."""
        began = time.perf_counter()
        try:
            status = str((await answer).status_code)
        except httpx.HTTPError as error:
            status = type(error).__name__
        self.statuses[status] += 1
        self.took_s.append(time.perf_counter() - began)

    def figures(self, name: str) -> dict[str, object]:
        """Return what is reported of them."""
        errors = {status: count for status, count in self.statuses.items() if status != "200"}
        took = {f"{name}_{key}_ms": s * 1000 for key, s in quantiles(self.took_s).items()}
        return {f"{name}_answers": self.statuses["200"], f"{name}_errors": errors, **took}


@dataclass(frozen=True, slots=True)
class Crowd:
    """All that look at one stack, and what they ask."""

    settings: Settings
    viewers: int
    clients: int
    viewed: Asked = field(default_factory=Asked)
    queried: Asked = field(default_factory=Asked)

    async def look(self, for_s: float) -> None:
        """Have all of them look for so long."""
        until = time.monotonic() + for_s
        with log_in(self._url("superset"), "viewer", read_logins(self.settings)["viewer"]) as one:
            numbers, headers = one.datasets(), dict(one.http.headers)
        asked, refresh_s = _panels(numbers)
        key = self.settings.registry_admin_key_file.read_text().strip()
        async with (
            _http(f"{self._url('superset')}/api/v1/", headers) as superset,
            _http(self._url("query"), {"Authorization": f"Bearer {key}"}) as query,
        ):
            series = (await query.get("/v1/latest")).raise_for_status().json()["points"]
            viewers = [self._view(superset, asked, refresh_s, until) for _ in range(self.viewers)]
            clients = [self._query(query, series, until) for _ in range(self.clients)]
            await asyncio.gather(*viewers, *clients)

    def _url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.settings.port(service)}"

    async def _view(
        self, http: httpx.AsyncClient, asked: list[object], refresh_s: float, until: float
    ) -> None:
        await asyncio.sleep(random.uniform(0, refresh_s))
        while time.monotonic() < until:
            for context in asked:
                await self.viewed.ask(http.post("chart/data", json=context))
            await asyncio.sleep(refresh_s)

    async def _query(
        self, http: httpx.AsyncClient, series: list[dict[str, str]], until: float
    ) -> None:
        await asyncio.sleep(random.uniform(0, EACH_S))
        while time.monotonic() < until:
            now, one = datetime.now(UTC), random.choice(series)
            asked = {
                "device_id": one["device_id"],
                "metric": one["metric"],
                "start": (now - timedelta(minutes=15)).isoformat(),
                "end": now.isoformat(),
            }
            await self.queried.ask(http.get("/v1/query", params=asked))
            await asyncio.sleep(EACH_S)


def _http(url: str, headers: Mapping[str, str]) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=url, headers=headers, timeout=PATIENCE_S, limits=httpx.Limits(max_connections=None)
    )


def _panels(numbers: Mapping[str, int]) -> tuple[list[object], float]:
    """Return what a browser asks for the panels of the dashboard, and how often."""
    (board,) = (found for file, found in read("dashboards").items() if file.stem == DASHBOARD)
    shown = set(charts_of(board))
    asked = [_context(panel, numbers) for panel in panels() if panel.chart["uuid"] in shown]
    return asked, float(board["metadata"]["refresh_frequency"])


def _context(panel: Panel, numbers: Mapping[str, int]) -> object:
    number = numbers[panel.chart["dataset_uuid"]]
    return {**panel.query_context, "datasource": {"id": number, "type": "table"}}


def run(rate: int, minutes: float, viewers: int, clients: int) -> Figures:
    """Start a stack, land alone, land with all of them, and verify the ledger of it all."""
    # Fifty clients with a key each would not meet the limit of one.
    os.environ["HEADWATER_QUERY_RATE"] = "0"
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), free_port_base(), superset="on")
        stack.run("up", "--timeout", "800", timeout_s=900)
        try:
            return _measure(stack, rate, minutes * 60, viewers, clients)
        finally:
            stack.run("down", check=False)


def _measure(stack: Stack, rate: int, for_s: float, viewers: int, clients: int) -> Figures:
    ledger = stack.home / "ledger.ndjson"
    fleet = start_fleet(stack, rate, 2 * for_s + WARM_UP_S, ledger)
    time.sleep(WARM_UP_S)
    crowd = Crowd(Settings(home=stack.home, port_base=stack.port_base), viewers, clients)
    alone = _watched(stack, lambda: time.sleep(for_s))
    beside = _watched(stack, lambda: _look(crowd, for_s))
    fleet.wait(timeout=300)
    verdict = stack.run("verify", str(ledger), "--json", "--timeout", "300", timeout_s=900).json
    assert isinstance(verdict, dict)
    silver = {"alone": quantiles(alone), "beside": quantiles(beside)}
    fresh = {f"{when}_{name}_s": s for when in silver for name, s in silver[when].items()}
    return {
        **{f"silver_{name}": seconds for name, seconds in fresh.items()},
        "silver_p95_of_alone": silver["beside"]["p95"] / silver["alone"]["p95"],
        "limit": LIMIT_SLOWER,
        **crowd.viewed.figures("viewers"),
        **crowd.queried.figures("clients"),
        **{name: verdict[name] for name in ("sent", "lost", "duplicate")},
        "viewers": viewers,
        "clients": clients,
        "rate": rate,
        "load": os.getloadavg()[0],
    }


def _look(crowd: Crowd, for_s: float) -> None:
    with ThreadPoolExecutor(1, initializer=os.nice, initargs=(LOOKERS_NICE,)) as aside:
        aside.submit(asyncio.run, crowd.look(for_s)).result()


def _watched(stack: Stack, act: Callable[[], None]) -> list[float]:
    """Return seconds from event to silver while something goes on."""
    watcher = Watcher(stack.home / "lake", {})
    watcher.start()
    try:
        act()
    finally:
        seen: Freshness = watcher.stop()
    return seen.event_to_silver_s


def main() -> None:
    """Parse, run, report."""
    options = parser(__doc__ or "")
    options.add_argument("--rate", type=int, default=5000, help="messages a second")
    options.add_argument("--minutes", type=float, default=4, help="alone, and with all of them")
    options.add_argument("--viewers", type=int, default=200)
    options.add_argument("--clients", type=int, default=50)
    given = options.parse_args()
    figures = run(given.rate, given.minutes, given.viewers, given.clients)
    report("viewers", figures, given.out)


if __name__ == "__main__":
    main()
