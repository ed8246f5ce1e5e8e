"""How far landing is behind Kafka: in records, whatever else has an offset."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

from infra.kafka.topics import create_topics
from spark_jobs.jobs.fast_lane import offsets_now
from spark_jobs.jobs.kafka_source import KafkaLag, unread
from spark_jobs.lost_offsets import Log
from telemetry.settings import Settings
from telemetry.topics import TELEMETRY
from tests.brokers import Broker


@pytest.mark.parametrize(
    ("needed", "expected"),
    [({0: 7, 1: 5}, 0), ({0: 4, 1: 5}, 3), ({0: 7}, 4), ({0: 9, 1: 4}, 1), ({}, 9)],
    ids=["all read", "some left", "a new partition", "one made anew beside", "nothing read"],
)
def test_what_is_left_is_counted_by_partition(needed: dict[int, int], expected: int) -> None:
    assert unread({0: Log(2, 7), 1: Log(1, 5)}, needed) == expected


@pytest.fixture
def bootstrap(broker: Broker) -> Iterator[str]:
    """Make the topic anew for this test, and after it."""
    address = broker.settings.kafka_bootstrap
    make_topic_anew(address)
    yield address
    make_topic_anew(address)


def make_topic_anew(bootstrap: str) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        if TELEMETRY.name in admin.list_topics():
            admin.delete_topics([TELEMETRY.name])
        until = time.monotonic() + 30
        while TELEMETRY.name in admin.list_topics() and time.monotonic() < until:
            time.sleep(0.05)
    assert create_topics(bootstrap) is None


def behind(bootstrap: str, landed: dict[tuple[str, int], int], read: dict[int, int]) -> int:
    with closing(KafkaLag(bootstrap, lambda: read)) as lag:
        return lag.behind(landed)


@pytest.mark.kafka
def test_marks_of_transactions_are_not_waited_for_and_new_partitions_are(
    bootstrap: str, tmp_path: Path
) -> None:
    with closing(KafkaProducer(bootstrap_servers=bootstrap, transactional_id="lag")) as producer:
        producer.init_transactions()
        producer.begin_transaction()
        producer.send(TELEMETRY.name, b"1", partition=3)
        producer.commit_transaction()
    landed = {(TELEMETRY.name, 3): 0}
    assert behind(bootstrap, landed, {}) == 1, "the mark"
    assert behind(bootstrap, landed, {3: 2}) == 0

    with closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        admin.create_partitions({TELEMETRY.name: TELEMETRY.partitions + 1})
    with closing(KafkaProducer(bootstrap_servers=bootstrap)) as producer:
        producer.send(TELEMETRY.name, b"1", partition=TELEMETRY.partitions).get(30)
    assert behind(bootstrap, landed, {3: 2}) == 1
    begins = offsets_now(Settings(home=tmp_path, kafka=bootstrap), None)
    assert begins == {0: 0, 1: 0, 2: 0, 3: 2, 4: 1}


@pytest.mark.kafka
def test_what_came_before_the_last_look_is_landed_though_more_comes_all_the_while(
    bootstrap: str,
) -> None:
    times = []
    with (
        closing(KafkaProducer(bootstrap_servers=bootstrap)) as producer,
        closing(KafkaLag(bootstrap, dict)) as lag,
    ):
        for offset in range(3):
            producer.send(TELEMETRY.name, b"1", partition=0).get(30)
            times.append(time.time())
            assert lag.behind({(TELEMETRY.name, 0): offset - 1} if offset else {}) == 1
            times.append(lag.landed_until or 0.0)

    first, nothing, second, passed, third, later = times
    assert nothing == 0.0
    assert first <= passed <= second <= later <= third
