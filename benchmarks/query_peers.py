"""The same questions to others: DuckDB on the same files, PostgreSQL with an index."""

import io
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import duckdb
import numpy as np
import polars as pl
import psycopg

from benchmarks import query_lake
from benchmarks.report import quantiles
from telemetry.tables import DEVICE_DAY, READINGS
from tests.services import postgresql
from tests.services.query_lake import Reading, put, windows

Question = tuple[str, datetime, datetime]
BUCKETS = 500
HELD_DEVICES = 5
THINNED = """
select ({t} - $3) // $5 as bucket, min(value), max(value)
from {source} where device_full = $1 and metric = $2 and {t} >= $3 and {t} < $4
group by bucket
"""


def duckdb_figures(
    lake: Path, name: str, asked: Iterator[Question], rounds: int
) -> dict[str, object]:
    """Ask DuckDB for the extremes of 500 buckets, from the raw files."""
    engine = duckdb.connect()
    engine.execute("set threads = 2")
    files = f"read_parquet('{lake}/silver/readings/*/*/*.parquet', hive_partitioning = true)"
    query = THINNED.format(t="event_time_us", source=files)
    took = []
    for _ in range(min(rounds, 10 if name == "quarter" else rounds)):
        device, start, end = next(asked)
        bounds = [int(at.timestamp()) * 1_000_000 for at in (start, end)]
        width = (bounds[1] - bounds[0]) // BUCKETS
        # What a person would add: the partitions that the range touches.
        dated = query.replace(
            "where", f"where event_date between '{start.date()}' and '{end.date()}' and"
        )
        began = time.perf_counter()
        found = engine.execute(dated, [device, query_lake.METRIC, *bounds, width]).fetchall()
        took.append((time.perf_counter() - began) * 1000)
        assert len(found) == BUCKETS
    engine.close()
    return {f"{name}.duckdb.{part}_ms": value for part, value in quantiles(took).items()}


def postgresql_figures(chance: Random, rounds: int) -> dict[str, object]:
    """Ask PostgreSQL the same of five devices, over an index by device and time."""
    binaries = postgresql.programs()
    if binaries is None:
        return {"postgresql": "not installed (Debian: apt-get install postgresql)"}
    with postgresql.server(binaries) as socket:
        connection = psycopg.connect(host=str(socket), user="test", dbname="postgres")
        _load(connection)
        figures: dict[str, object] = {"postgresql.devices": HELD_DEVICES}
        for name, days in (("day", 1), ("quarter", query_lake.DAYS)):
            count = min(rounds, 5 if name == "quarter" else rounds)
            took = [_asked(connection, chance, days) for _ in range(count)]
            figures |= {f"{name}.postgresql.{part}_ms": ms for part, ms in quantiles(took).items()}
        connection.close()
    return figures


def _load(connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    with connection.cursor() as cursor:
        cursor.execute("create table r (device_full text, at bigint, value double precision)")
        with cursor.copy("copy r from stdin") as copy:
            for day in range(query_lake.DAYS):
                copy.write(_lines(day))
        cursor.execute("create index on r (device_full, at)")
        cursor.execute("analyze r")
    connection.commit()


def _lines(day: int) -> bytes:
    values = query_lake.day_values(day)[:HELD_DEVICES]
    start = int((query_lake.START + timedelta(days=day)).timestamp()) * 1_000_000
    times = start + np.arange(query_lake.A_DAY) * query_lake.STEP_S * 1_000_000
    sink = io.BytesIO()
    for number in range(HELD_DEVICES):
        frame = pl.DataFrame({"at": times, "value": values[number]})
        named = frame.select(pl.lit(query_lake.device(number)).alias("d"), "at", "value")
        named.write_csv(sink, include_header=False, separator="\t")
    return sink.getvalue()


def _asked(
    connection: "psycopg.Connection[tuple[object, ...]]", chance: Random, days: int
) -> float:
    free = query_lake.DAYS - days
    start = query_lake.START + timedelta(minutes=chance.randrange(free * 1440) if free else 0)
    low = int(start.timestamp()) * 1_000_000
    high = low + days * 86_400_000_000
    query = """
        select (at - %(low)s) / %(width)s as bucket, min(value), max(value) from r
        where device_full = %(device)s and at >= %(low)s and at < %(high)s group by bucket
    """
    asked = {
        "low": low,
        "high": high,
        "width": (high - low) // BUCKETS,
        "device": query_lake.device(chance.randrange(HELD_DEVICES)),
    }
    began = time.perf_counter()
    with connection.cursor() as cursor:
        found = cursor.execute(query, asked).fetchall()
    assert len(found) == BUCKETS
    return (time.perf_counter() - began) * 1000


def fleet(lake: Path, count: int) -> None:
    """Write a day's last windows of many devices."""
    at = int(query_lake.START.timestamp()) * 1_000_000
    readings = [Reading(at + n, n / 7, device=f"sensor.d{n:06d}", seq=n) for n in range(count)]
    rows = windows(readings, 86_400_000_000, 0, "device_full")
    for row in rows:
        row["window_period"] = query_lake.START.date().replace(month=1, day=1)
    put(lake, DEVICE_DAY, rows)
    put(lake, READINGS, [])


def news(lake: Path, number: int, now: datetime) -> None:
    """Append one reading of each of a thousand devices."""
    at = int(now.timestamp() * 1_000_000)
    fresh = [
        Reading(at + n, float(number), device=f"sensor.d{n:06d}", seq=number) for n in range(1000)
    ]
    put(lake, READINGS, [each.row() for each in fresh])
