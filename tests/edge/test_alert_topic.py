"""Alerts in Kafka: keyed by device, read back equal, and a broker that was away."""

import time
from collections.abc import Sequence

import pytest
from confluent_kafka import Consumer, TopicPartition

from edge.alert_topic import AlertTopic
from edge.outbox import OutboxError
from telemetry.alerts import Alert, alert_id
from telemetry.topics import ALERTS
from tests.brokers import Broker
from tests.end_to_end.stack import free_port_base


def alert(device: str, time: int) -> Alert:
    return Alert(
        id=alert_id("hot", 1, "default", device, time, "t"),
        tenant="default",
        rule="hot",
        rule_version=1,
        state="firing",
        severity="warning",
        event_time=time,
        detected_at=time + 1,
        text=f"t of {device} is 99, above 90",
        device=device,
        metric="t",
        value=99.0,
        evidence=((time, 50.0), (time, None)),
    )


def read_all(bootstrap: str) -> dict[bytes, list[Alert]]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "test"})
    found: dict[bytes, list[Alert]] = {}
    for number in range(ALERTS.partitions):
        partition = TopicPartition(ALERTS.name, number, 0)
        _, end = consumer.get_watermark_offsets(partition, timeout=10)
        consumer.assign([partition])
        for _ in range(end):
            message = consumer.poll(10)
            assert message is not None
            assert not message.error()
            key, value = message.key(), message.value()
            assert key is not None
            assert value is not None
            found.setdefault(key, []).append(Alert.from_json(value))
    consumer.close()
    return found


def told_once_the_topic_is_seen(topic: AlertTopic, alerts: Sequence[Alert]) -> None:
    """Tell alerts as a stream does, which tries again until the new topic is known."""
    give_up = time.monotonic() + 30
    while True:
        try:
            return topic.tell(alerts)
        except OutboxError as error:
            if "has no topic" not in str(error) or time.monotonic() > give_up:
                raise
            time.sleep(0.2)


@pytest.mark.kafka
def test_alerts_are_kept_in_the_order_of_their_device(broker: Broker) -> None:
    alerts = [alert(f"boiler.b{number % 3}", number) for number in range(30)]
    topic = AlertTopic(broker.settings.kafka_bootstrap)
    told_once_the_topic_is_seen(topic, alerts[:20])
    topic.tell(alerts[20:])
    found = read_all(broker.settings.kafka_bootstrap)
    assert set(found) == {b"boiler.b0", b"boiler.b1", b"boiler.b2"}
    for key, mine in found.items():
        assert mine == [one for one in alerts if one.key() == key]


@pytest.mark.kafka
def test_broker_that_is_not_there_is_an_error() -> None:
    topic = AlertTopic(f"127.0.0.1:{free_port_base()}")
    with pytest.raises(OutboxError, match="no Kafka broker answers"):
        topic.tell([alert("boiler.b1", 1)])
