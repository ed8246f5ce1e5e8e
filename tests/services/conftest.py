"""A registry over each database that this machine has."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.registry.database import open_database
from tests.services import postgresql
from tests.services.databases import migrated
from tests.services.registry_parts import TestedRegistry


@pytest.fixture(scope="session")
def postgresql_socket() -> Iterator[Path]:
    """Return the folder of a server's socket; skip where no server is installed."""
    binaries = postgresql.programs()
    if binaries is None:
        pytest.skip("no PostgreSQL server here (Debian: apt-get install postgresql)")
    with postgresql.server(binaries) as socket:
        yield socket


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[TestedRegistry]:
    """Return a registry over SQLite."""
    tested = TestedRegistry(tmp_path, migrated(tmp_path / "registry.db", open_database))
    yield tested
    tested.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestedRegistry]:
    """Return a registry over SQLite, then over PostgreSQL."""
    url = migrated(tmp_path / "registry.db", open_database)
    if request.param == "postgresql":
        url = postgresql.fresh_database(request.getfixturevalue("postgresql_socket"))
    tested = TestedRegistry(tmp_path, url)
    yield tested
    tested.close()
