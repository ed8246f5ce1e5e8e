"""What tests of several packages share: a broker."""

import gc
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec

import hypothesis
import pytest

from tests.brokers import Broker, running

if (main := sys.modules["__main__"]).__spec__ is None and not hasattr(main, "__file__"):
    # A process that xdist starts looks to pyspark as one of its own doctests, which it would end.
    main.__spec__ = ModuleSpec("__main__", None)

# What takes 60 ms takes 300 beside others; how long tests take is `pytest --durations`' to say.
hypothesis.settings.register_profile("headwater", deadline=None)
hypothesis.settings.load_profile("headwater")


# Modules and tests stay, 800,000 objects: a quarter of what it takes to collect tests was looking
# through them for cycles, again and again.
gc.disable()


def pytest_collection_finish() -> None:
    """Leave what has been imported alone from here on."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def one_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Return the broker of all modules that a process runs."""
    with running(tmp_path_factory.mktemp("broker")) as found:
        yield found


@pytest.fixture(scope="module")
def broker(one_broker: Broker) -> Broker:
    """Return a broker whose topics are empty, and the module's alone."""
    one_broker.begin_anew()
    return one_broker
