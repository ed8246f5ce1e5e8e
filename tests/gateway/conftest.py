"""What tests of several listeners share."""

from collections.abc import Iterator

import pytest

from tests.gateway.entrances import house
from tests.gateway.served import Served


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """All listeners before one house that lets in whoever comes, on ports of their own."""
    running = Served(house(is_anonymous=True))
    yield running
    running.stop()
