"""The same questions to QuestDB: five devices, a symbol with an index, a partition a day."""

import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import LiteralString

import httpx
import numpy as np
import psycopg
from psycopg.conninfo import make_conninfo

from benchmarks import query_lake
from benchmarks.query_peers import BUCKETS, HELD_DEVICES
from benchmarks.report import quantiles
from infra.fetch.paths import questdb_jar
from infra.java import java_for_spark
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from tests.end_to_end.stack import free_port_base

TABLE: LiteralString = """
create table r (device_full symbol index, value double, at timestamp)
timestamp(at) partition by day bypass wal
"""
START_S = 60


def questdb_figures(settings: Settings, chance: Random, rounds: int) -> dict[str, object]:
    """Ask QuestDB the same as PostgreSQL: the extremes of 500 buckets of one of five devices."""
    try:
        command = [str(java_for_spark(settings).executable), *_flags(questdb_jar(settings))]
    except HeadwaterError as error:
        return {"questdb": str(error)}
    with _server(command) as (http, connection):
        connection.execute(TABLE)
        for day in range(query_lake.DAYS):
            http.post("/imp", params={"name": "r", "fmt": "json"}, files={"data": lines(day)})
        _check(connection)
        figures: dict[str, object] = {"questdb.devices": HELD_DEVICES}
        for name, days in (("day", 1), ("quarter", query_lake.DAYS)):
            for _ in range(5):
                _asked(connection, chance, days)
            took = [_asked(connection, chance, days) for _ in range(rounds)]
            figures |= {f"{name}.questdb.{part}_ms": ms for part, ms in quantiles(took).items()}
    return figures


def _flags(jar: Path) -> list[str]:
    opened = "--add-exports=java.base/jdk.internal.math=io.questdb"
    return ["-Xmx1g", opened, "-p", str(jar), "-m", "io.questdb/io.questdb.ServerMain"]


@contextmanager
def _server(
    command: list[str],
) -> Iterator[tuple[httpx.Client, "psycopg.Connection[tuple[object, ...]]"]]:
    """Run the server over a folder of its own; yield its two doors once it answers."""
    base, password = free_port_base(), secrets.token_urlsafe(16)
    told = {
        "QDB_HTTP_BIND_TO": f"127.0.0.1:{base}",
        "QDB_PG_NET_BIND_TO": f"127.0.0.1:{base + 1}",
        "QDB_HTTP_MIN_ENABLED": "false",
        "QDB_LINE_TCP_ENABLED": "false",
        "QDB_TELEMETRY_ENABLED": "false",
        "QDB_PG_USER": "headwater",
        "QDB_PG_PASSWORD": password,
        "QDB_SHARED_WORKER_COUNT": "2",
    }
    with tempfile.TemporaryDirectory() as folder:
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen([*command, "-d", folder], env=told, stdout=log, stderr=log)
        try:
            with (
                httpx.Client(base_url=f"http://127.0.0.1:{base}", timeout=120) as http,
                _connected(process, base + 1, password) as connection,
            ):
                yield http, connection
        finally:
            process.terminate()
            process.wait(30)


def _connected(
    process: "subprocess.Popen[bytes]", port: int, password: str
) -> "psycopg.Connection[tuple[object, ...]]":
    until = time.monotonic() + START_S
    where = make_conninfo(
        host="127.0.0.1", port=port, user="headwater", password=password, dbname="qdb"
    )
    while True:
        try:
            return psycopg.connect(where, autocommit=True)
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > until:
                raise
        time.sleep(0.2)


def lines(day: int) -> bytes:
    """Return a day's readings of all five, in order of time, as partitions take them fastest."""
    values = query_lake.day_values(day)[:HELD_DEVICES]
    start = np.datetime64(query_lake.START.replace(tzinfo=None) + timedelta(days=day), "us")
    steps = np.arange(query_lake.A_DAY) * query_lake.STEP_S * 1_000_000
    times = np.datetime_as_string(start + steps.astype("timedelta64[us]"))
    names = [query_lake.device(number) for number in range(HELD_DEVICES)]
    rows = [
        f"{name},{values[number][step]},{at}Z"
        for step, at in enumerate(times.tolist())
        for number, name in enumerate(names)
    ]
    return "\n".join(["device_full,value,at", *rows]).encode()


def _check(connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    found = connection.execute("select count(*) from r").fetchone()
    wanted = HELD_DEVICES * query_lake.DAYS * query_lake.A_DAY
    assert found == (wanted,), f"QuestDB has {found} of {wanted} rows"


def _asked(
    connection: "psycopg.Connection[tuple[object, ...]]", chance: Random, days: int
) -> float:
    free = query_lake.DAYS - days
    start = query_lake.START + timedelta(minutes=chance.randrange(free * 1440) if free else 0)
    end, device = start + timedelta(days=days), query_lake.device(chance.randrange(HELD_DEVICES))
    query = question(start, end, device)
    began = time.perf_counter()
    found = connection.execute(query).fetchall()
    took = (time.perf_counter() - began) * 1000
    assert len(found) == BUCKETS, len(found)
    return took


def question(start: datetime, end: datetime, device: str) -> bytes:
    """Return the question as a person would type it; buckets are of whole milliseconds."""
    width = (end - start) // timedelta(milliseconds=1) // BUCKETS
    low, high = (at.strftime("%Y-%m-%dT%H:%M:%S.%fZ") for at in (start, end))
    buckets = f"sample by {width}T from '{low}' to '{high}'"
    asked = f"device_full = '{device}' and at >= '{low}' and at < '{high}'"
    return f"select at, min(value), max(value) from r where {asked} {buckets}".encode()  # noqa: S608 - our own
