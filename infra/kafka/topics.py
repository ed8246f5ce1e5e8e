"""Topics as declared, and whether the broker answers."""

import logging

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from telemetry.errors import HeadwaterError
from telemetry.topics import TOPICS

SILENT = logging.Logger("kafka", level=logging.CRITICAL)


def broker_complaint(bootstrap: str) -> str | None:
    """Say why the broker does not answer; None if it does."""
    try:
        _client(bootstrap).list_topics(timeout=2)
    except KafkaException:
        return f"no answer at {bootstrap}"
    return None


def create_topics(bootstrap: str) -> str | None:
    """Create every declared topic that is not there yet; return why that must wait."""
    declared = [
        NewTopic(
            topic.name,
            num_partitions=topic.partitions,
            replication_factor=1,
            config=topic.config,
        )
        for topic in TOPICS
    ]
    client = _client(bootstrap)
    for name, done in client.create_topics(declared, request_timeout=30).items():
        try:
            done.result()
        except KafkaException as error:
            reason = error.args[0]
            if reason.retriable():
                return f"topic {name}: {reason.str()}"
            if reason.code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise HeadwaterError(f"Kafka refuses topic {name}: {reason.str()}") from error
    return None


def _client(bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 0}, logger=SILENT)
