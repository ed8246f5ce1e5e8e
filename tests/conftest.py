"""What tests of several packages share: a broker for a module, and who runs beside whom."""

import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec

import pytest

from telemetry.settings import Settings
from tests.brokers import Broker

if (main := sys.modules["__main__"]).__spec__ is None and not hasattr(main, "__file__"):
    # A process that xdist starts looks to pyspark as one of its own doctests, which it would end.
    main.__spec__ = ModuleSpec("__main__", None)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    if not (Settings().kafka_dir / "libs").is_dir():
        pytest.skip("Kafka is not fetched: headwater fetch kafka")
    running = Broker(tmp_path_factory.mktemp("broker"))
    yield running
    running.kill()


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together what shares a stack or a Spark session; else a file's tests stay together."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))


def _group(item: pytest.Item) -> str:
    if item.get_closest_marker("spark") or "spark" in getattr(item, "fixturenames", ()):
        return "spark"
    return "end_to_end" if item.path.parent.name == "end_to_end" else item.path.name
