"""The registry's database."""

from sqlalchemy import Engine

from services import database

LOCK = 5271009


def open_database(url: str) -> Engine:
    """Return an engine of a database whose tables are those of this release."""
    return database.open_database(url, "registry", lock=LOCK)
