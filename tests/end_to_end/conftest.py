"""One stack for the run: light at first, then the full one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.stack import read_stack
from infra.stopping import OURS
from tests.end_to_end.stack import Stack, free_port_base

SHARED_DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A home with nothing started yet; whatever runs in it is taken down at the end."""
    home = tmp_path_factory.mktemp("stack")
    made = Stack(home, free_port_base())
    try:
        yield made
    finally:
        made.run("down", check=False)
    assert {path.name for path in home.iterdir() if path.is_dir()} <= set(OURS)


@pytest.fixture(scope="session")
def light_stack(stack: Stack) -> Stack:
    """Streams over the spool, in the home that moves up to the full stack."""
    stack.run("up", "--light", timeout_s=600)
    return stack


@pytest.fixture(scope="session")
def full_stack(stack: Stack) -> Stack:
    """Kafka, streams and Trino over what the light stack left; the last test adds the rest."""
    if read_stack(stack.home):
        stack.run("down")
    stack.run("up", "--only", "kafka,streams,trino", timeout_s=600)
    return stack


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data; tests that need it skip where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real data sets are not beside this checkout (../shared/data)")
    return SHARED_DATA
