"""A service's database: SQLite or PostgreSQL by URL, at the newest schema from each start on."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from sqlite3 import Connection as SqliteConnection
from threading import Lock

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from telemetry.errors import HeadwaterError

WRITING = "headwater_writing"
"""Execution option of a connection that is about to write."""
BUSY_TIMEOUT_MS = 30_000


def open_database(url: str, service: str, *, lock: int) -> Engine:
    """Return an engine of a service's database whose tables are those of this release.

    `service` names the package with the migrations and the setting that holds the URL; `lock` is
    the number under which PostgreSQL lets one process migrate at a time.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise HeadwaterError(f"HEADWATER_{service.upper()}_DATABASE: {error}") from error
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, pool_size=8, pool_pre_ping=parsed.get_backend_name() != "sqlite")
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    try:
        _migrate(engine, f"services.{service}:migrations", lock)
    except SQLAlchemyError as error:
        said = str(error).partition("\n")[0]
        shown = parsed.render_as_string(hide_password=True)
        raise HeadwaterError(f"the database of {service} {shown} is not usable: {said}") from error
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


def _migrate(engine: Engine, migrations: str, lock: int) -> None:
    """Bring the tables to the newest revision; two that start at once do it once."""
    configuration = Config()
    configuration.set_main_option("script_location", migrations)
    with engine.connect().execution_options(**{WRITING: True}) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"select pg_advisory_xact_lock({lock})")
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, "head")


class Turns:
    """Transactions over an engine; whoever writes to SQLite waits its turn."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        # SQLite lets a writer wait by polling, and one that polls may starve.
        polls = engine.dialect.name == "sqlite"
        self._turn: AbstractContextManager[object] = Lock() if polls else nullcontext()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read in one transaction."""
        with self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Write in one transaction; it is committed unless something is raised."""
        with self._turn, self.engine.connect() as plain:
            connection = plain.execution_options(**{WRITING: True})
            with connection.begin():
                yield connection
