"""Rows by the hundred: as many at once as a database takes, over those that are there."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

AT_ONCE = 500
_T = TypeVar("_T")


def in_groups(all_of: Iterable[_T], size: int = AT_ONCE) -> Iterator[list[_T]]:
    """Yield what there is in lists of a size that a database takes."""
    source = iter(all_of)
    while found := list(islice(source, size)):
        yield found


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, object]],
    keep: Collection[str] = (),
) -> None:
    """Insert rows, or write over those of their keys all columns but those to keep."""
    if not rows:
        return
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table)
    replaced = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if not column.primary_key and column.name not in keep
    }
    keys = [column.name for column in table.primary_key]
    if replaced:
        statement = statement.on_conflict_do_update(index_elements=keys, set_=replaced)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=keys)
    for some in in_groups(rows):
        connection.execute(statement, some)
