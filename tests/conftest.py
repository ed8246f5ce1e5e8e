"""What tests of several packages share: a broker for a module."""

from collections.abc import Iterator

import pytest

from telemetry.settings import Settings
from tests.brokers import Broker


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    if not (Settings().kafka_dir / "libs").is_dir():
        pytest.skip("Kafka is not fetched: headwater fetch kafka")
    running = Broker(tmp_path_factory.mktemp("broker"))
    yield running
    running.kill()
