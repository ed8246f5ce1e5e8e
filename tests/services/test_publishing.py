"""Changes in Kafka: in the order of their commits, all of them, whatever the broker does."""

from typing import cast

import pytest
from confluent_kafka import Consumer, TopicPartition

from services.registry.follower import Follower
from services.registry.kafka import KafkaSink
from telemetry.changes import Change, decode_change
from telemetry.topics import REGISTRY_CHANGES
from tests.brokers import Broker
from tests.services.registry_parts import TestedRegistry

pytestmark = pytest.mark.kafka


def read_all(bootstrap: str) -> list[Change]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "test"})
    partition = TopicPartition(REGISTRY_CHANGES.name, 0, 0)
    _, end = consumer.get_watermark_offsets(partition, timeout=10)
    consumer.assign([partition])
    found: list[Change | None] = []
    while len(found) < end:
        message = consumer.poll(10)
        assert message is not None, f"{len(found)} of {end} came"
        assert not message.error()
        key, headers = message.key(), cast(list[tuple[str, bytes]], message.headers())
        assert key is not None
        found.append(decode_change(key, message.value(), headers))
    consumer.close()
    return [change for change in found if change]


def test_every_change_comes_in_the_order_of_its_commit(
    broker: Broker, registry: TestedRegistry
) -> None:
    bootstrap = broker.settings.kafka_bootstrap
    sink = KafkaSink(bootstrap)
    follower = Follower(registry.store, [sink], registry.files)
    registry.meter("meter.m1")
    issued = registry.done("POST", "/v1/devices/meter.m1/credentials", {})
    follower.follow()
    broker.kill()
    registry.done("DELETE", f"/v1/devices/meter.m1/credentials/{issued['credential_id']}")
    broker.restart()
    follower.follow()
    found = read_all(bootstrap)

    editions = [change.edition for change in found]
    assert editions == sorted(editions)
    assert set(editions) == set(range(1, registry.edition() + 1))
    assert found[-1].key.kind == "credential"
    assert found[-1].body is None
    assert registry.store.position("kafka") == registry.edition() == sink.edition()
