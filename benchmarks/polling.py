"""Clients that poll the query service each second while a file of silver lands each second.

`make bench BENCH=polling OUT=build/polling.json`: the query service alone, over a lake of its own.
1,000 devices, 5,000 messages a second with four metrics each, in files as landing writes them; so
many seconds of them are there when the clients begin. A client asks for the last quarter of an
hour of some device each second.
"""

import asyncio
import os
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import psutil
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable
from deltalake.schema import Schema

from benchmarks.query import served
from benchmarks.report import Figures, parser, quantiles, report
from spark_jobs.column_files import added
from spark_jobs.reading_rows import WORD, Block, ReadingRows, metric_field
from spark_jobs.schema import arrow_schema
from telemetry.settings import Settings
from telemetry.tables import READINGS

DEVICES, MESSAGES, LOOSE = 1000, 5000, 1000
METRICS = pa.schema(
    [
        metric_field("energy", pa.float64(), "kWh"),
        metric_field("power", pa.float64(), "W"),
        metric_field("voltage", pa.float64(), "V"),
        metric_field("state", pa.string(), None),
    ]
)
STATES = np.array(["idle", "running", "fault"])
EACH_S, PATIENCE_S = 1.0, 120.0


class Silver:
    """The table being landed, a commit of 5,000 messages at a time."""

    def __init__(self, root: Path, seed: int = 1) -> None:
        self._chance = np.random.default_rng(seed)
        self._uri = (root / Path(*READINGS.name.split("."))).as_uri()
        schema = Schema.from_arrow(arrow_schema(READINGS))
        self._table = DeltaTable.create(
            self._uri, schema, partition_by=list(READINGS.partition_by), configuration={}
        )
        self._seq = 0

    def land(self, at: datetime) -> None:
        """Add the messages of the second that ends then."""
        messages = self._messages(at)
        block = Block(messages.slice(LOOSE), self._values(MESSAGES - LOOSE))
        loose = Block(messages.slice(0, LOOSE), self._values(LOOSE))
        rows = pa.concat_tables(loose.rows()).unify_dictionaries()
        files = added(self._uri, READINGS, ReadingRows((block,), rows))
        self._table.create_write_transaction(
            [*files],
            mode="append",
            schema=self._table.schema(),
            partition_by=list(READINGS.partition_by),
            commit_properties=CommitProperties(),
        )

    def _messages(self, at: datetime) -> pa.Table:
        end = int(at.timestamp() * 1e6)
        times = pa.array(np.sort(self._chance.integers(end - 1_000_000, end, MESSAGES)))
        stamps = times.cast(pa.timestamp("us", "UTC"))
        words = {"tenant": "default", "boot": "b1", "product": "meter", "clock": "ok"}
        words |= {"zone": "north", "topic": "telemetry", "retention_class": "default"}
        found = {name: pa.array([word] * MESSAGES).cast(WORD) for name, word in words.items()}
        numbers = self._chance.integers(0, DEVICES, MESSAGES)
        names = [f"d{number:04d}" for number in range(DEVICES)]
        for column, prefix in (("device", ""), ("device_full", "meter.")):
            texts = pa.array([prefix + name for name in names])
            found[column] = pa.DictionaryArray.from_arrays(numbers.astype(np.int32), texts)
        found["seq"] = pa.array(np.arange(self._seq, self._seq + MESSAGES))
        self._seq += MESSAGES
        found["offset"] = found["seq"]
        zeros = pa.array(np.zeros(MESSAGES, np.int32))
        found |= dict.fromkeys(("partition", "item", "schema_version"), zeros)
        found |= dict.fromkeys(("device_time", "event_time", "received_at", "kafka_time"), stamps)
        found["event_time_us"], found["event_date"] = times, stamps.cast(pa.date32())
        columns = {
            name: found.get(name, pa.nulls(MESSAGES, _kind(kind)))
            for name, kind in zip(*_stored(), strict=True)
        }
        return pa.table(columns)

    def _values(self, count: int) -> pa.Table:
        numbers = [np.round(self._chance.normal(20, 5, count), 2) for _ in range(3)]
        states = STATES[self._chance.integers(0, 3, count)]
        columns = [*map(pa.array, numbers), pa.array(states.tolist(), pa.string())]
        return pa.table(columns, schema=METRICS)


def _stored() -> tuple[list[str], list[pa.DataType]]:
    own = {"metric", "value", "value_text", "value_bool", "unit", "quality"}
    fields = [each for each in arrow_schema(READINGS) if each.name not in own]
    return [each.name for each in fields], [each.type for each in fields]


def _kind(kind: pa.DataType) -> pa.DataType:
    return WORD if pa.types.is_string(kind) else kind


@dataclass(slots=True)
class Polled:
    """What the clients saw."""

    statuses: Counter[str] = field(default_factory=Counter)
    took_s: list[float] = field(default_factory=list)
    points: int = 0

    async def poll(self, http: httpx.AsyncClient, until: float) -> None:
        """Ask for some device each second."""
        await asyncio.sleep(random.uniform(0, EACH_S))
        while time.monotonic() < until:
            began, now = time.perf_counter(), datetime.now(UTC)
            asked = {
                "device_id": f"meter.d{random.randrange(DEVICES):04d}",
                "metric": random.choice(METRICS.names),
                "start": (now - timedelta(minutes=15)).isoformat(),
                "end": now.isoformat(),
            }
            try:
                answer = await http.get("/v1/query", params=asked)
                self.statuses[str(answer.status_code)] += 1
                self.points += answer.json()["points_in"] if answer.is_success else 0
            except httpx.HTTPError as error:
                self.statuses[type(error).__name__] += 1
            self.took_s.append(time.perf_counter() - began)
            await asyncio.sleep(EACH_S)


@contextmanager
def landing(silver: Silver) -> Iterator[None]:
    """Land a second's messages each second meanwhile."""
    stopping = threading.Event()

    def land() -> None:
        while not stopping.wait(1.0):
            silver.land(datetime.now(UTC))

    thread = threading.Thread(target=land)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


async def _crowd(url: str, key: str, clients: int, for_s: float) -> Polled:
    polled, until = Polled(), time.monotonic() + for_s
    headers = {"Authorization": f"Bearer {key}"}
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(
        base_url=url, headers=headers, timeout=PATIENCE_S, limits=limits
    ) as http:
        await asyncio.gather(*(polled.poll(http, until) for _ in range(clients)))
    return polled


def run(clients: int, history_s: int, for_s: float) -> Figures:
    """Land the history, start the service, and poll it."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "stack.json").write_text('{"mode": "light", "port_base": 0, "services": []}')
        silver, now = Silver(home / "lake"), datetime.now(UTC)
        for second in range(history_s, 0, -1):
            silver.land(now - timedelta(seconds=second))
        with served(home) as (_, pid):
            url, began = _url(pid), time.monotonic()
            while _hot_files(url) < history_s:
                time.sleep(0.2)
            held_s = time.monotonic() - began
            with landing(silver):
                return {"held_after_s": held_s, **_measured(home, pid, clients, for_s)}


def _url(pid: int) -> str:
    listening = psutil.Process(pid).net_connections()
    (port,) = {each.laddr.port for each in listening if each.status == psutil.CONN_LISTEN}
    return f"http://127.0.0.1:{port}"


def _hot_files(url: str) -> int:
    found: int = httpx.get(f"{url}/health").json()["hot"]["files"]
    return found


def _measured(home: Path, pid: int, clients: int, for_s: float) -> Figures:
    process = psutil.Process(pid)
    key = Settings(home=home).query_key_file.read_text().strip()
    began = process.cpu_times()
    polled = asyncio.run(_crowd(_url(pid), key, clients, for_s))
    ended, memory = process.cpu_times(), process.memory_full_info()
    used = ended.user + ended.system - began.user - began.system
    answers = len(polled.took_s)
    return {
        "answers": dict(polled.statuses),
        **{f"answer_{name}_ms": s * 1000 for name, s in quantiles(polled.took_s).items()},
        "answers_per_s": answers / for_s,
        "points_in_mean": polled.points / max(1, polled.statuses["200"]),
        "cpu_cores": used / for_s,
        "cpu_ms_an_answer": used / answers * 1000,
        "rss_mb": memory.rss / 1e6,
        "pss_mb": memory.pss / 1e6,
        "clients": clients,
        "load": os.getloadavg()[0],
    }


def main() -> None:
    """Parse, run, report."""
    options = parser(__doc__ or "")
    options.add_argument("--clients", type=int, default=50)
    options.add_argument("--history", type=int, default=300, help="seconds that are there before")
    options.add_argument("--seconds", type=float, default=30.0)
    given = options.parse_args()
    report("polling", run(given.clients, given.history, given.seconds), given.out)


if __name__ == "__main__":
    main()
