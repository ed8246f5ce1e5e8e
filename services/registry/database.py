"""The database: SQLite or PostgreSQL by URL, brought to the newest schema at each start."""

from pathlib import Path
from sqlite3 import Connection as SqliteConnection

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from telemetry.errors import HeadwaterError

WRITING = "headwater_writing"
"""Execution option of a connection that is about to write."""
BUSY_TIMEOUT_MS = 30_000


def open_database(url: str) -> Engine:
    """Return an engine of a database whose tables are those of this release."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise HeadwaterError(f"HEADWATER_REGISTRY_DATABASE: {error}") from error
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, pool_size=8, pool_pre_ping=parsed.get_backend_name() != "sqlite")
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    try:
        migrate(engine)
    except SQLAlchemyError as error:
        said = str(error).partition("\n")[0]
        shown = parsed.render_as_string(hide_password=True)
        raise HeadwaterError(f"the registry's database {shown} is not usable: {said}") from error
    return engine


def _prepare_sqlite(connection: SqliteConnection, _record: object) -> None:
    # The driver would begin transactions by itself, and only before it writes.
    connection.isolation_level = None
    for pragma in ("journal_mode = wal", "synchronous = full", "foreign_keys = on"):
        connection.execute(f"pragma {pragma}")
    connection.execute(f"pragma busy_timeout = {BUSY_TIMEOUT_MS}")


def _begin_sqlite(connection: Connection) -> None:
    is_writing = connection.get_execution_options().get(WRITING)
    connection.exec_driver_sql("begin immediate" if is_writing else "begin")


def migrate(engine: Engine) -> None:
    """Bring the tables to the newest revision; two that start at once do it once."""
    configuration = Config()
    configuration.set_main_option("script_location", "services.registry:migrations")
    with engine.connect().execution_options(**{WRITING: True}) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("select pg_advisory_xact_lock(5271009)")
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, "head")
