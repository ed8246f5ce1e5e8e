"""A registry over each database that this machine has."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.registry_parts import TestedRegistry


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[TestedRegistry]:
    tested = TestedRegistry(tmp_path, f"sqlite:///{tmp_path / 'registry.db'}")
    yield tested
    tested.close()
