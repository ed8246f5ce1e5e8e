"""The lake's tables made known to Trino."""

import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from infra.stack import write_whole
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from telemetry.tables import TABLES

if TYPE_CHECKING:
    from trino.dbapi import Connection, Cursor

CATALOG = "lake"
REGISTRARS = "registrar-"
"""How the names begin of those who may register tables; everybody else only reads."""


def register_tables(settings: Settings, *, all_declared: bool = False) -> str | None:
    """Register declared tables that Trino does not know; return what is not there to register."""
    lake = local_lake(settings)
    there = [table.name for table in TABLES if (lake / _path(table.name) / "_delta_log").is_dir()]
    cursor = trino_connection(settings, user=registrar(settings)).cursor()
    known = known_tables(cursor)
    for name in there:
        if name not in known:
            _register(cursor, name, lake)
    absent = len(TABLES) - len(there)
    return f"waits for {absent} tables of the streams" if absent and all_declared else None


def registrar(settings: Settings) -> str:
    """Return the name of the one who may register tables, made at the first start.

    Trino asks nobody for a password, and who may register a table may drop it: nobody guesses
    the name, which only the owner of the home can read.
    """
    path = settings.home / "trino" / "registrar"
    if not path.exists():
        write_whole(path, f"{REGISTRARS}{secrets.token_hex(16)}\n", mode=0o600)
    return path.read_text("utf-8").strip()


def trino_connection(settings: Settings, *, user: str, tags: Sequence[str] = ()) -> "Connection":
    """Return a connection to our Trino; a query opens it. Tags choose a resource group."""
    # Only who asks Trino pays for the import of its client.
    from trino.dbapi import connect

    connection: Connection = connect(
        host="127.0.0.1",
        port=settings.port("trino"),
        user=user,
        catalog=CATALOG,
        timezone="UTC",
        request_timeout=60,
        source="headwater",
        client_tags=list(tags),
    )
    return connection


def known_tables(cursor: "Cursor") -> set[str]:
    """Return the names of the tables that Trino knows, as schema.table."""
    schemas = {table.layer for table in TABLES} & set(_column(cursor, "show schemas"))
    return {
        f"{schema}.{name}"
        for schema in schemas
        for name in _column(cursor, f"show tables in {schema}")
    }


def lake_of(settings: Settings) -> str:
    """Return where the lake is, as one text whatever folder one stands in."""
    root = settings.lake_root
    return root if "://" in root else str(Path(root).absolute())


def note_lake(settings: Settings) -> None:
    """Note which lake Trino serves from this start on."""
    write_whole(_note(settings), f"{lake_of(settings)}\n")


def served_lake(settings: Settings) -> str | None:
    """Return which lake Trino was started over last; None: it does not say."""
    try:
        return _note(settings).read_text("utf-8").strip()
    except FileNotFoundError:
        return None


def _note(settings: Settings) -> Path:
    return settings.home / "trino" / "lake"


def local_lake(settings: Settings) -> Path:
    """Return the lake's folder; the local Trino reads no object store."""
    if "://" in settings.lake_root:
        raise HeadwaterError(
            f"HEADWATER_LAKE={settings.lake_root}: the local Trino reads folders only;"
            " ask a Trino that has a catalog over that store"
        )
    return Path(settings.lake_root).absolute()


def _register(cursor: "Cursor", name: str, lake: Path) -> None:
    schema, table = name.split(".")
    location = f"local://{_quoted(lake / _path(name))}"
    _run(cursor, f"create schema if not exists {schema}")
    _run(cursor, f"call system.register_table('{schema}', '{table}', '{location}')")


def _column(cursor: "Cursor", query: str) -> Iterable[str]:
    return [str(row[0]) for row in _run(cursor, query)]


def _run(cursor: "Cursor", query: str) -> list[list[object]]:
    cursor.execute(query)
    rows: list[list[object]] = cursor.fetchall()
    return rows


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _path(name: str) -> str:
    return name.replace(".", "/")
