"""What the gateway reads from Kafka before it opens its ports."""

import asyncio
import time

import pytest
from confluent_kafka import Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from gateway.feeds import BATCH, Feed, Record
from telemetry.topics import COMMANDS, REGISTRY_CHANGES
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


def test_commands_that_kafka_still_has_are_told_though_older_ones_are_gone(broker: Broker) -> None:
    bootstrap = broker.settings.kafka_bootstrap

    async def heard(count: int) -> list[bytes | None]:
        found: list[bytes | None] = []

        def take(records: list[Record]) -> None:
            found.extend(record.value for record in records)

        feed = Feed(bootstrap, COMMANDS.name, take, group="retained", begin="committed")
        await asyncio.wait_for(feed.begun.wait(), 60)
        give_up = time.monotonic() + 10
        while len(found) < count and time.monotonic() < give_up:
            await asyncio.sleep(0.05)
        await feed.close()
        return found

    asyncio.run(heard(0))
    producer = Producer({"bootstrap.servers": bootstrap})
    places: list[int] = []

    def told(_error: object, message: Message) -> None:
        places.append(message.offset() or 0)

    for value in (b"1", b"2", b"3"):
        producer.produce(COMMANDS.name, value, b"d1", 0, told)
    assert producer.flush(30) == 0
    kept = TopicPartition(COMMANDS.name, 0, places[1])
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for done in admin.delete_records([kept]).values():
        done.result(30)

    assert asyncio.run(heard(2)) == [b"2", b"3"]
