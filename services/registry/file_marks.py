"""What was last taken from or put into each file of the home's registry."""

from collections.abc import Iterable
from hashlib import sha256

from sqlalchemy import delete, insert, select

from services.registry.store import Store, Writing
from services.registry.tables import FILE_MARKS
from telemetry.changes import TenantBody


def marks(store: Store) -> dict[str, str]:
    """Return every file's mark, by its path below the registry's folder."""
    with store.reading() as reading:
        query = select(FILE_MARKS.c.path, FILE_MARKS.c.mark)
        return {path: mark for path, mark in reading.connection.execute(query)}


def mark(writing: Writing, path: str, value: str | None) -> None:
    """Note a file's mark; None forgets it."""
    connection = writing.connection
    connection.execute(delete(FILE_MARKS).where(FILE_MARKS.c.path == path))
    if value is not None:
        connection.execute(insert(FILE_MARKS).values(path=path, mark=value))


def digest(content: bytes) -> str:
    """Return the mark of a file's content."""
    return sha256(content).hexdigest()


def own(writing: Writing, tenants: Iterable[str]) -> None:
    """Make the tenants that the files name."""
    for tenant in tenants:
        if writing.get("tenant", tenant, tenant) is None:
            writing.put(tenant, tenant, TenantBody(), "add")
