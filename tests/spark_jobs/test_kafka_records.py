"""What workers read of Kafka is what was sent, offset for offset, whatever it looks like."""

from collections.abc import Iterator

import pyarrow as pa
import pytest
from confluent_kafka import Producer
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.structs import TopicPartition

from spark_jobs import kafka_records
from spark_jobs.jobs.kafka_source import topic_now
from spark_jobs.kafka_records import SCHEMA, Reading
from spark_jobs.planned_offsets import Span
from spark_jobs.record_fields import UnusualRecordsError
from telemetry.errors import HeadwaterError
from tests.brokers import Broker
from tests.end_to_end.stack import free_port_base

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]
Headers = list[tuple[str, str | bytes | None]]
SENT: list[tuple[bytes | None, bytes | None, Headers | None]] = [
    (b"a", b"1", [("tenant", b"default"), ("device", b"d1")]),
    (None, b"", None),
    (b"", None, []),
    (b"\xff\x00", b"\x00" * 1_500_000, [("x", None), ("x", b""), ("", b"\xff")]),
    (b"k", b"{", [(f"h{n}", b"%d" % n) for n in range(30)]),
    (b"k", b"{", [("tenant", b"t"), ("device", b"d2")]),
    (b"k", b"{", [("tenant", None), ("device", b"")]),
]


@pytest.fixture
def connections() -> Iterator[None]:
    """Let the next test open its own."""
    yield
    while kafka_records._open:
        kafka_records._open.popitem()[1].close()


def read(broker: Broker, topic: str, *tasks: tuple[Span, ...]) -> pa.Table:
    """Read all tasks in turn."""
    reading = Reading(broker.settings.kafka_bootstrap, topic, "landed as", tasks, 20.0)
    return pa.Table.from_batches(reading.batches(range(len(tasks))), SCHEMA)


def send(broker: Broker, topic: str, *partitions: int) -> None:
    """Send what there is of odd records to each partition."""
    limits = {"bootstrap.servers": broker.settings.kafka_bootstrap, "message.max.bytes": 2_000_000}
    producer = Producer(limits)
    for partition in partitions:
        for key, value, headers in SENT:
            producer.produce(topic, value, key, partition, headers=headers)
    assert producer.flush(30) == 0


@pytest.mark.usefixtures("connections")
def test_records_come_as_they_were_sent(broker: Broker) -> None:
    send(broker, "telemetry", 0, 1, 2)

    tasks = (Span(0, 0, 7), Span(2, 1, 4)), (Span(1, 5, 7),)
    found = read(broker, "telemetry", *tasks)

    rows = found.to_pylist()
    expected = [(0, n) for n in range(7)] + [(2, n) for n in (1, 2, 3)] + [(1, 5), (1, 6)]
    assert [(row["partition"], row["offset"]) for row in rows] == expected
    said = [(row["key"], row["value"], row["headers"]) for row in rows]
    assert said == [
        (SENT[n][0], SENT[n][1], [{"key": k, "value": v} for k, v in SENT[n][2] or ()])
        for _, n in expected
    ]
    assert {row["topic"] for row in rows} == {"landed as"}
    assert found["timestamp"].null_count == 0

    reading = Reading(broker.settings.kafka_bootstrap, "telemetry", "landed as", tasks)
    (at_once,) = reading.at_once().batches([0])
    order = [("partition", "ascending"), ("offset", "ascending")]
    assert pa.Table.from_batches([at_once]).equals(found.sort_by(order))


@pytest.mark.usefixtures("connections")
def test_offsets_without_a_record_are_passed_over(broker: Broker) -> None:
    producer = KafkaProducer(
        bootstrap_servers=broker.settings.kafka_bootstrap, transactional_id="gaps"
    )
    producer.init_transactions()
    sent = []
    for value in (b"1", b"2", b"3"):
        producer.begin_transaction()
        sent.append(producer.send("telemetry", value, partition=3))
        producer.commit_transaction()
    producer.close()
    at = sent[0].get(30).offset

    # Each commit leaves a mark of its own in the partition: 0, 2 and 4 are records.
    def values(first: int, until: int) -> list[bytes]:
        span = Span(3, at + first, at + until)
        return [*read(broker, "telemetry", (span,))["value"].to_pylist()]

    assert values(0, 6) == [b"1", b"2", b"3"]
    assert values(1, 4) == [b"2"]
    assert values(3, 4) == []


@pytest.mark.usefixtures("connections")
def test_offsets_that_kafka_has_dropped_are_an_error(broker: Broker) -> None:
    bootstrap = broker.settings.kafka_bootstrap
    send(broker, "telemetry.dead", 0)
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.delete_records({TopicPartition("telemetry.dead", 0): 3})
    admin.close()

    assert read(broker, "telemetry.dead", (Span(0, 3, 7),)).num_rows == 4
    with pytest.raises(HeadwaterError, match="does not give offsets 1 to 6 of partition 0"):
        read(broker, "telemetry.dead", (Span(0, 1, 7),))


@pytest.mark.usefixtures("connections")
def test_a_topic_that_was_made_anew_meanwhile_is_not_read_for_the_old_one(broker: Broker) -> None:
    def topic_id() -> str:
        return topic_now(broker.settings.kafka_bootstrap).id

    spans = ((Span(0, 5, 7),),)
    send(broker, "telemetry", 0)
    reading = Reading(broker.settings.kafka_bootstrap, "telemetry", "landed as", spans)
    old = reading._replace(topic_id=topic_id())
    assert [batch.num_rows for batch in old.batches([0])] == [2]

    broker.begin_anew()
    send(broker, "telemetry", 0)

    with pytest.raises(HeadwaterError, match=r"offsets 5 to 6 of partition 0.*made anew"):
        list(old.batches([0]))
    new = reading._replace(topic_id=topic_id())
    assert [batch.num_rows for batch in new.batches([0])] == [2]


@pytest.mark.usefixtures("connections")
def test_a_header_s_name_that_is_no_utf_8_is_left_to_spark(broker: Broker) -> None:
    class Raw(str):
        """A name whose bytes are no text."""

        __slots__ = ()

        def encode(self, *_: object) -> bytes:
            return b"\xff\xfe"

    producer = KafkaProducer(bootstrap_servers=broker.settings.kafka_bootstrap)
    sent = producer.send("telemetry", b"1", partition=3, headers=[(Raw("x"), b"1")])
    offset = sent.get(30).offset
    producer.close()

    with pytest.raises(UnusualRecordsError):
        read(broker, "telemetry", (Span(3, offset, offset + 1),))


@pytest.mark.usefixtures("connections")
def test_a_broker_that_is_away_is_said_to_be() -> None:
    nobody = f"127.0.0.1:{free_port_base()}"
    reading = Reading(nobody, "telemetry", "landed as", ((Span(0, 0, 5),),), 1.0)
    with pytest.raises(HeadwaterError, match="no broker answers at 127"):
        list(reading.batches([0]))
