"""What the gateway reads from Kafka before it opens its ports."""

import asyncio
import time

import pytest
from confluent_kafka import Producer

from gateway.feeds import BATCH, Feed, Record
from telemetry.topics import REGISTRY_CHANGES
from tests.brokers import Broker

pytestmark = pytest.mark.kafka
COUNT = 10 * BATCH
TURN_S = 0.3


class Impatient(Feed):
    """Waits for less than all of it takes, and for more than a part of it does."""

    patience_s = 1.5 * TURN_S


def test_all_that_was_there_is_known_however_long_it_takes(broker: Broker) -> None:
    bootstrap = broker.settings.kafka_bootstrap
    producer = Producer({"bootstrap.servers": bootstrap})
    for number in range(COUNT):
        producer.produce(REGISTRY_CHANGES.name, b"{}", b"device/default/m%d" % number)
    assert producer.flush(30) == 0

    async def known() -> int:
        taken = 0

        def take(records: list[Record]) -> None:
            nonlocal taken
            time.sleep(TURN_S)
            taken += len(records)

        topic = REGISTRY_CHANGES.name
        feed = Impatient(bootstrap, topic, take, group="test", begin="beginning")
        await asyncio.wait_for(feed.caught_up.wait(), 60)
        found = taken
        await feed.close()
        return found

    assert asyncio.run(known()) == COUNT
