"""How long questions take over 1,000 devices and 90 days, beside DuckDB, PostgreSQL and QuestDB.

Each question goes to a process of its own over loopback HTTP; each asks for another device, so no
answer is one that was kept. Cold: a fresh process that has just said that it is ready, the lake's
files dropped from the page cache. `make bench BENCH=query OUT=build/query.json`
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode

import httpx
import orjson
import psutil

from benchmarks import query_lake, query_peers
from benchmarks.query_questdb import questdb_figures
from benchmarks.report import Figures, parser, quantiles, report
from infra.query_service import MEMORY
from telemetry.settings import Settings
from tests.end_to_end.stack import free_port_base

LIMITS_MS = {
    "day.warm": 50.0,
    "day.cold": 250.0,
    "quarter.warm": 300.0,
    "quarter.cold": 1500.0,
    "latest.warm": 200.0,
}
POINTS = 1000


class Ask:
    """Questions to one process."""

    def __init__(self, settings: Settings) -> None:
        key = settings.query_key_file.read_text().strip()
        self._headers = {"Authorization": f"Bearer {key}"}
        self._http = HTTPConnection("127.0.0.1", settings.port("query"), timeout=60)

    def series(self, device: str, start: datetime, end: datetime) -> None:
        """Ask for a series."""
        asked = {
            "device_id": device,
            "metric": query_lake.METRIC,
            "start": start.isoformat(),
            "end": end.isoformat(),
            "points": str(POINTS),
        }
        self._get(f"/v1/query?{urlencode(asked)}")

    def latest(self) -> None:
        """Ask for the latest values of the whole tenant."""
        self._get("/v1/latest")

    def _get(self, path: str) -> None:
        self._http.request("GET", path, headers=self._headers)
        answer = self._http.getresponse()
        self.content = answer.read()
        if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
            # The latest values are still being read: only before the first of them is timed.
            time.sleep(float(answer.headers["Retry-After"]))
            self._get(path)
        elif answer.status != HTTPStatus.OK:
            raise RuntimeError(self.content.decode())

    def said(self) -> dict[str, object]:
        """Return what the answer before said."""
        found: dict[str, object] = orjson.loads(self.content)
        return found


@contextmanager
def served(home: Path) -> Iterator[tuple[Ask, int]]:
    """Run the service over a home's lake; yield once it says that it is ready."""
    settings = Settings(home=home, port_base=free_port_base())
    environment = {
        **os.environ,
        "HEADWATER_HOME": str(home),
        "HEADWATER_PORT_BASE": str(settings.port_base),
        "HEADWATER_QUERY_RATE": "0",
        # As `up` starts it.
        "MALLOC_ARENA_MAX": "2",
        **MEMORY,
    }
    process = subprocess.Popen([sys.executable, "-m", "services.query"], env=environment)
    try:
        health = f"http://127.0.0.1:{settings.port('query')}/health"
        _until_ready(health, process)
        yield Ask(settings), process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _until_ready(health: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(1200):
        if process.poll() is not None:
            raise RuntimeError("the query service ended at its start")
        try:
            if httpx.get(health, timeout=2).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError("the query service is not ready")


def forget(folder: Path) -> bool:
    """Drop a folder's files from the page cache; say whether the system lets us."""
    for path in folder.rglob("*.parquet"):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        except OSError:
            return False
        finally:
            os.close(handle)
    return True


def _ms(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000


def questions(days: int, chance: random.Random) -> Iterator[tuple[str, datetime, datetime]]:
    """Yield ranges of `days` of devices, each of them once; short ones begin at any minute."""
    numbers = list(range(query_lake.DEVICES))
    chance.shuffle(numbers)
    free = query_lake.DAYS - days
    for number in numbers:
        start = query_lake.START + timedelta(minutes=chance.randrange(free * 1440) if free else 0)
        yield query_lake.device(number), start, start + timedelta(days=days)


def run(lake: Path, rounds: int, cold_rounds: int) -> Figures:
    """Make the lake, and ask."""
    figures: dict[str, object] = {"lake_made_s": query_lake.make(lake / "lake")}
    size = sum(path.stat().st_size for path in (lake / "lake").rglob("*.parquet"))
    figures["lake_gb"] = size / 1e9
    _home(lake)
    chance = random.Random(query_lake.SEED)
    for name, days in (("day", 1), ("quarter", query_lake.DAYS)):
        asked = questions(days, chance)
        cold = []
        for _ in range(cold_rounds):
            with served(lake) as (ask, _):
                figures["page_cache_dropped"] = forget(lake / "lake")
                cold.append(_ms(lambda: ask.series(*next(asked))))  # noqa: B023
        with served(lake) as (ask, pid):
            for _ in range(3):
                ask.series(*next(asked))
            began = _cpu_ms(pid)
            warm = [_ms(lambda: ask.series(*next(asked))) for _ in range(rounds)]  # noqa: B023
            figures[f"{name}.warm.cpu_ms"] = (_cpu_ms(pid) - began) / rounds
            said = ask.said()
            figures[f"{name}.points"] = f"{said['points_in']} -> {said['points_out']}"
            figures[f"{name}.pss_mb"] = _pss_mb(pid)
            if name == "quarter":
                figures["spike_is_there"] = _spike(ask)
        figures |= _figures(f"{name}.warm", warm) | _figures(f"{name}.cold", cold)
        figures |= query_peers.duckdb_figures(lake / "lake", name, questions(days, chance), rounds)
    figures |= query_peers.postgresql_figures(chance, rounds)
    figures |= questdb_figures(Settings(), chance, rounds)
    figures |= latest_figures(rounds)
    figures["load"] = os.getloadavg()[1]
    return figures


def _home(lake: Path) -> None:
    (lake / "stack.json").write_text('{"mode": "light", "port_base": 0, "services": []}')
    progress = lake / "progress"
    progress.mkdir(exist_ok=True)
    until = query_lake.START + timedelta(days=query_lake.DAYS)
    said = {"watermarks": {"sensor": until.isoformat()}}
    (progress / "gold.json").write_bytes(orjson.dumps(said))


def _figures(name: str, took_ms: list[float]) -> dict[str, object]:
    found = {f"{name}.{part}_ms": value for part, value in quantiles(took_ms).items()}
    return {**found, f"{name}.limit_ms": LIMITS_MS[name]}


def _spike(ask: Ask) -> bool:
    end = query_lake.START + timedelta(days=query_lake.DAYS)
    ask.series(query_lake.device(query_lake.Spike.device), query_lake.START, end)
    points = ask.said()["points"]
    assert isinstance(points, list)
    return any(point["value"] == query_lake.Spike.value for point in points)


def _cpu_ms(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return (times.user + times.system) * 1000


def _pss_mb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) // 1024


def latest_figures(rounds: int) -> dict[str, object]:
    """Ask for the latest values of 100,000 devices, one of which has said something new."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        query_peers.fleet(home / "lake", 100_000)
        _home(home)
        with served(home) as (ask, pid):
            ask.latest()
            took = []
            for number in range(rounds):
                query_peers.news(home / "lake", number, datetime.now(UTC))
                took.append(_ms(ask.latest))
            said = ask.said()
            kept = [_ms(ask.latest) for _ in range(rounds)]
            memory = _pss_mb(pid)
    return {
        "latest.points": said["points_out"],
        "latest.kept.p95_ms": quantiles(kept)["p95"],
        "latest.pss_mb": memory,
        **_figures("latest.warm", took),
    }


def main() -> None:
    """Measure and report."""
    arguments = parser("queries over 1,000 devices and 90 days")
    arguments.add_argument("--rounds", type=int, default=40)
    arguments.add_argument("--cold-rounds", type=int, default=8)
    default = Path("build/query-lake")
    arguments.add_argument("--lake", type=Path, default=default, help="kept for the next run")
    arguments.add_argument("--anew", action="store_true", help="make the lake again")
    given = arguments.parse_args()
    if given.anew:
        shutil.rmtree(given.lake, ignore_errors=True)
    given.lake.mkdir(parents=True, exist_ok=True)
    report("query", run(given.lake.absolute(), given.rounds, given.cold_rounds), given.out)


if __name__ == "__main__":
    main()
