"""The same day elsewhere: DuckDB over the same files, PostgreSQL with TSBS's tables and indexes."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import duckdb
import polars as pl
import psycopg
from deltalake import DeltaTable

from benchmarks.tsbs_fleet import DIAGNOSTIC_FIELDS, READING_FIELDS, Day
from tests.services import postgresql

Session: TypeAlias = psycopg.Connection[tuple[object, ...]]
SERVER = ("shared_buffers=256MB", "work_mem=64MB", "timezone=UTC")
"""More than it needs to hold the day and its indexes, and to sort without files."""
TAGS = """
create table tags (id integer primary key, name text, fleet text, driver text, model text,
    device_version text, load_capacity float8, fuel_capacity float8,
    nominal_fuel_consumption float8);
create index on tags (name);
"""
MESSAGES = """
create table {table} (time timestamptz not null, tags_id integer, {fields},
    additional_tags jsonb);
create index on {table} (tags_id, time desc);
create index on {table} (time desc);
"""


@contextmanager
def postgresql_day(known: Day) -> Iterator[Session]:
    """Run a PostgreSQL that holds the day, in the order in which it arrived."""
    programs = postgresql.programs()
    if programs is None:
        raise RuntimeError("no PostgreSQL found (Debian: apt-get install postgresql)")
    with (
        postgresql.server(programs, SERVER) as socket,
        psycopg.connect(
            host=str(socket), user="test", dbname="postgres", autocommit=True
        ) as session,
    ):
        session.execute(TAGS)
        _copy(session, "tags", known.trucks.rename({"truck": "id"}))
        for table, frame, fields in (
            ("readings", known.readings, READING_FIELDS),
            ("diagnostics", known.diagnostics, DIAGNOSTIC_FIELDS),
        ):
            columns = ", ".join(f"{field} float8" for field in fields)
            session.execute(MESSAGES.format(table=table, fields=columns))
            moment = pl.from_epoch("time_us", time_unit="us").alias("time")
            _copy(session, table, frame.select(moment, pl.col("truck").alias("tags_id"), *fields))
        session.execute("vacuum analyze")
        yield session


def _copy(session: Session, table: str, frame: pl.DataFrame) -> None:
    statement = f"copy {table} ({', '.join(frame.columns)}) from stdin (format csv)"
    with session.cursor() as cursor, cursor.copy(statement) as copy:
        for piece in frame.iter_slices(100_000):
            sink = io.BytesIO()
            piece.write_csv(sink, include_header=False)
            copy.write(sink.getvalue())


def rows_read(session: Session, query: str) -> int:
    """Return how many rows PostgreSQL takes from its tables for an answer, by its own count."""
    ((told,),) = session.execute(f"explain (analyze, timing off, format json) {query}").fetchall()
    assert isinstance(told, list)
    return sum(_scanned(told[0]["Plan"]))


def _scanned(node: dict[str, object]) -> Iterator[int]:
    if "Relation Name" in node:
        seen, removed, loops = (
            float(str(node.get(name, 0)))
            for name in ("Actual Rows", "Rows Removed by Filter", "Actual Loops")
        )
        yield int((seen + removed) * loops)
    inner = node.get("Plans", [])
    assert isinstance(inner, list)
    for child in inner:
        yield from _scanned(child)


def duckdb_lake(lake: Path, tables: Sequence[str]) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB that reads the newest files of a lake's tables."""
    engine = duckdb.connect()
    engine.execute("set threads = 2; set timezone = 'UTC'; set integer_division = true")
    for name in tables:
        files = DeltaTable(lake / name.replace(".", "/")).file_uris()
        engine.execute(f"create schema if not exists {name.split('.')[0]}")
        source = f"read_parquet({files!r}, hive_partitioning = true)"
        engine.execute(f"create view {name} as select * from {source}")  # noqa: S608 - our own
    return engine
