"""Queries through Trino."""

import getpass
import os
from collections.abc import Iterator, Sequence

from trino.dbapi import Cursor
from trino.exceptions import Error, TrinoConnectionError, TrinoUserError

from infra.sql.catalog import no_such_table
from infra.sql.result import QueryError, Result, unique_names
from infra.trino.registration import known_tables, register_tables, trino_connection
from telemetry.settings import Settings

ABSENT = ("TABLE_NOT_FOUND", "SCHEMA_NOT_FOUND")


def query_trino(settings: Settings, query: str) -> Result:
    """Run a query; a table that was made since `up` is registered first."""
    cursor = trino_connection(settings, user=_user()).cursor()
    try:
        _execute(cursor, query, settings)
    except TrinoUserError as error:
        raise _explained(error, settings) from error
    except Error as error:
        raise QueryError(_message(error)) from error
    except OSError as error:
        raise QueryError(_unreachable(settings)) from error
    names = unique_names([column[0] for column in cursor.description or ()])
    return Result(names, _rows(cursor))


def _execute(cursor: Cursor, query: str, settings: Settings) -> None:
    try:
        cursor.execute(query)
    except TrinoUserError as error:
        if error.error_name not in ABSENT:
            raise
        register_tables(settings)
        cursor.execute(query)


def _rows(cursor: Cursor) -> Iterator[Sequence[object]]:
    try:
        while (row := cursor.fetchone()) is not None:
            yield row
    except Error as error:
        raise QueryError(_message(error)) from error
    except KeyboardInterrupt:
        cursor.cancel()
        raise


def _explained(error: TrinoUserError, settings: Settings) -> QueryError:
    message = _message(error)
    if error.error_name in ABSENT:
        known = known_tables(trino_connection(settings, user=_user()).cursor())
        message += f"; {no_such_table(message, known)}"
    return QueryError(message)


def _message(error: Error) -> str:
    if isinstance(error, TrinoConnectionError):
        return f"Trino does not answer: {error}; see `headwater status`"
    return str(getattr(error, "message", error)).replace("\n", " ")


def _unreachable(settings: Settings) -> str:
    return (
        f"Trino does not answer on port {settings.port('trino')}: start it with `headwater up`,"
        " or see `headwater status`"
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # Containers run as users that no file names.
        return f"uid-{os.getuid()}"
