"""One stack for the run, which becomes the full one, and a light one for its module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.stopping import OURS
from tests.end_to_end.stack import Stack, free_port_base

SHARED_DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def full_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Kafka, streams and Trino; the rest follows in the last test."""
    yield from _stack(tmp_path_factory.mktemp("full"), "--only", "kafka,streams,trino")


@pytest.fixture(scope="module")
def light_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Streams over the spool."""
    yield from _stack(tmp_path_factory.mktemp("light"), "--light")


def _stack(home: Path, *options: str) -> Iterator[Stack]:
    stack = Stack(home, free_port_base())
    try:
        stack.run("up", *options, timeout_s=600)
        yield stack
    finally:
        stack.run("down", check=False)
    assert {path.name for path in home.iterdir() if path.is_dir()} <= set(OURS)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data; tests that need it skip where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real data sets are not beside this checkout (../shared/data)")
    return SHARED_DATA
