"""The gateway killed at five points: one row for each message that a device had acknowledged."""

from collections.abc import Iterator

import pytest

from telemetry.settings import Settings
from tests.gateway.kills.points import Point
from tests.gateway.kills.sites import PROTOCOLS, Site

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.long]
SHORT = dict(zip(Point, ("mqtt 1", "http", "mqtt 2", "coap", "mqtt 1"), strict=True))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if not (Settings().kafka_dir / "libs").is_dir():
        pytest.skip("Kafka is not fetched: headwater fetch kafka")
    running = Site(tmp_path_factory.mktemp("site"))
    yield running
    try:
        running.prove_silver()
    finally:
        running.close()


@pytest.mark.parametrize("point", Point)
def test_acknowledged_message_survives_the_gateway_once(site: Site, point: Point) -> None:
    site.strike(SHORT[point], point, f"short-{point.name.lower()}")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("point", Point)
def test_the_same_by_every_protocol(site: Site, protocol: str, point: Point) -> None:
    for number in range(3):
        site.strike(protocol, point, f"{protocol.replace(' ', '')}-{point.name.lower()}-{number}")
