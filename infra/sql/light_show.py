"""`show` and `describe` without Trino: answered from the declarations, in Trino's form."""

import re
from collections.abc import Iterable, Sequence

from infra.sql.catalog import TRINO_TYPES, no_such_table
from infra.sql.result import QueryError, Result
from telemetry.tables import BY_NAME

_SCHEMAS = re.compile(r"show\s+schemas(\s+(from|in)\s+lake)?", re.IGNORECASE)
_TABLES = re.compile(r"show\s+tables\s+(from|in)\s+(lake\.)?(?P<schema>\w+)", re.IGNORECASE)
_COLUMNS = re.compile(
    r"(describe|desc|show\s+columns\s+(from|in))\s+(lake\.)?(?P<table>\w+\.\w+)", re.IGNORECASE
)


def show(query: str, known: Sequence[str]) -> Result | None:
    """Answer a query about the tables themselves; None if it is about what is in them."""
    if _SCHEMAS.fullmatch(query):
        schemas = {name.split(".")[0] for name in known}
        return _list("Schema", schemas | {"information_schema"})
    if match := _TABLES.fullmatch(query):
        schema = match["schema"].lower()
        return _list("Table", (n.split(".")[1] for n in known if n.startswith(f"{schema}.")))
    if match := _COLUMNS.fullmatch(query):
        return _columns(match["table"].lower(), known)
    return None


def _list(heading: str, names: Iterable[str]) -> Result:
    return Result((heading,), iter([(name,) for name in sorted(names)]))


def _columns(name: str, known: Sequence[str]) -> Result:
    if name not in known:
        quoted = f"'lake.{name}'"
        raise QueryError(f"line 1:1: Table {quoted} does not exist; {no_such_table(quoted, known)}")
    rows = [
        (column.name, TRINO_TYPES[column.type], "", _comment(column.meaning, column.unit))
        for column in BY_NAME[name].columns
    ]
    return Result(("Column", "Type", "Extra", "Comment"), iter(rows))


def _comment(meaning: str, unit: str | None) -> str:
    return f"{meaning} ({unit})" if unit else meaning
