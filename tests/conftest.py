"""What tests of several packages share: a broker for a module."""

import gc
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec

import hypothesis
import pytest

from telemetry.settings import Settings
from tests.brokers import Broker

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


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    if not (Settings().kafka_dir / "libs").is_dir():
        pytest.skip("Kafka is not fetched: headwater fetch kafka")
    running = Broker(tmp_path_factory.mktemp("broker"))
    yield running
    running.kill()
