"""Topics as the broker is asked for them."""

import pytest

from infra.kafka.topics import ONE, Replicas, create_topics, new_topic
from telemetry.errors import HeadwaterError
from telemetry.topics import TELEMETRY


def test_one_broker_has_one_replica() -> None:
    wanted = new_topic(TELEMETRY, ONE)

    assert wanted.replication_factor == 1
    assert wanted.topic_configs == TELEMETRY.config | {"min.insync.replicas": "1"}


def test_cluster_is_asked_for_replicas_that_must_hold_a_record() -> None:
    wanted = new_topic(TELEMETRY, Replicas(3, 2))

    assert (wanted.name, wanted.num_partitions) == (TELEMETRY.name, TELEMETRY.partitions)
    assert wanted.replication_factor == 3
    assert wanted.topic_configs["min.insync.replicas"] == "2"


def test_more_must_hold_a_record_than_there_are() -> None:
    with pytest.raises(HeadwaterError, match="HEADWATER_KAFKA_MIN_INSYNC is 2, of 1"):
        create_topics("127.0.0.1:1", Replicas(1, 2))
