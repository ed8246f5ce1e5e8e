"""The Kafka outbox against a real broker."""

import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from edge.kafka import KafkaOutbox
from edge.outbox import OutboxError, OutRecord
from infra.cli import cli
from telemetry.topics import TELEMETRY
from tests.brokers import Broker

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]


def consumed(broker: Broker, key: bytes) -> list[Message]:
    """Return all records of a key, oldest first."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker.settings.kafka_bootstrap,
            "group.id": "test",
            "enable.auto.commit": False,
        }
    )
    partitions = [TopicPartition(TELEMETRY.name, n, 0) for n in range(TELEMETRY.partitions)]
    left = sum(end_of(consumer, one) for one in partitions)
    consumer.assign(partitions)
    found = []
    while left:
        for message in consumer.consume(min(left, 10_000), timeout=10):
            assert message.error() is None
            left -= 1
            if message.key() == key:
                found.append(message)
    consumer.close()
    return found


def end_of(consumer: Consumer, partition: TopicPartition) -> int:
    """Return the next offset; a broker that has just started leads a partition a little later."""
    until = time.monotonic() + 30
    while True:
        try:
            end: int = consumer.get_watermark_offsets(partition, timeout=10)[1]
        except KafkaException as error:
            code = error.args[0].code()
            if code != KafkaError.NOT_LEADER_FOR_PARTITION or time.monotonic() > until:
                raise
            time.sleep(0.2)
        else:
            return end


def java_partition(key: bytes) -> int:
    """Return the partition that Kafka's Java client chooses: murmur2 of the key."""
    mask, magic = 0xFFFFFFFF, 0x5BD1E995
    found = (0x9747B28C ^ len(key)) & mask
    whole = len(key) - len(key) % 4
    for start in range(0, whole, 4):
        word = int.from_bytes(key[start : start + 4], "little") * magic & mask
        word = (word ^ word >> 24) * magic & mask
        found = found * magic & mask ^ word
    if rest := key[whole:]:
        found = (found ^ int.from_bytes(rest, "little")) * magic & mask
    found = (found ^ found >> 13) * magic & mask
    return ((found ^ found >> 15) & 0x7FFFFFFF) % TELEMETRY.partitions


def test_acknowledged_records_are_in_the_topic_in_order(broker: Broker) -> None:
    key, at = b"order.d1", list[int]()
    with KafkaOutbox(broker.settings.kafka_bootstrap) as outbox:
        for number in range(5_000):
            record = OutRecord(key, b"%d" % number, [("device", b"d1"), ("tenant", b"\xff")])
            outbox.send(record, at.append)
        assert outbox.flush(30) == 0

    found = consumed(broker, key)
    assert len(at) == 5_000
    assert [message.value() for message in found] == [b"%d" % number for number in range(5_000)]
    assert found[0].headers() == [("device", b"d1"), ("tenant", b"\xff")]
    assert abs(found[0].timestamp()[1] * 1_000 - at[0]) < 60_000_000


def test_empty_value_is_not_null(broker: Broker) -> None:
    with KafkaOutbox(broker.settings.kafka_bootstrap) as outbox:
        outbox.send(OutRecord(b"empty.d1", b"", []))
    assert [message.value() for message in consumed(broker, b"empty.d1")] == [b""]


def test_partition_is_the_java_client_s(broker: Broker) -> None:
    keys = [f"meter.d{number}".encode() for number in range(20)]
    with KafkaOutbox(broker.settings.kafka_bootstrap) as outbox:
        for key in keys:
            outbox.send(OutRecord(key, b"x", []))
    found = {key: consumed(broker, key)[0].partition() for key in keys}
    assert found == {key: java_partition(key) for key in keys}


def test_record_that_is_too_large_is_refused_by_name(broker: Broker) -> None:
    with (
        pytest.raises(OutboxError, match=r"refuses a record of 3,000,000 bytes"),
        KafkaOutbox(broker.settings.kafka_bootstrap) as outbox,
    ):
        outbox.send(OutRecord(b"large.d1", b"x" * 3_000_000, []))


def test_topic_that_is_missing_is_named(broker: Broker) -> None:
    with pytest.raises(OutboxError, match="has no topic nowhere"):
        KafkaOutbox(broker.settings.kafka_bootstrap, "nowhere")


def test_publish_goes_to_the_broker_that_is_named(broker: Broker, tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_text("device,time,kw\n" + "d1,2024-01-01 00:00:00,1.5\n" * 2_000)
    environment = {
        "HEADWATER_HOME": str(tmp_path),
        "HEADWATER_KAFKA": broker.settings.kafka_bootstrap,
    }
    result = CliRunner().invoke(cli, ["publish", str(path), "--product", "pump"], env=environment)

    assert result.exit_code == 0, result.output
    assert len(consumed(broker, b"pump.d1")) == 2_000


@pytest.mark.faults
def test_broker_that_dies_is_an_error_and_nothing_is_acknowledged_in_vain(broker: Broker) -> None:
    at: list[int] = []
    key = b"killed.d1"
    outbox = KafkaOutbox(broker.settings.kafka_bootstrap, delivery_timeout_s=3)
    for number in range(2_000):
        outbox.send(OutRecord(key, b"%d" % number, []), at.append)
        if number == 1_000:
            outbox.flush(30)
            broker.kill()
    with pytest.raises(OutboxError, match="does not acknowledge"):
        outbox.flush(20)
    with pytest.raises(OutboxError):
        outbox.send(OutRecord(key, b"more", []))

    broker.restart()
    found = [message.value() for message in consumed(broker, key)]
    assert len(at) >= 1_001
    assert found[: len(at)] == [b"%d" % number for number in range(len(at))]
