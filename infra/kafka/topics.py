"""Topics as declared, and whether the broker answers; by kafka-python, whose job this is."""

from contextlib import closing
from typing import NamedTuple

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError, TopicAlreadyExistsError

from edge.listening import reach
from telemetry.errors import HeadwaterError
from telemetry.topics import TOPICS, Topic


def broker_complaint(bootstrap: str) -> str | None:
    """Say why the broker does not answer; None if it does."""
    try:
        with closing(_client(bootstrap)) as client:
            client.list_topics()
    except KafkaError:
        return f"no answer at {bootstrap}"
    return None


class Replicas(NamedTuple):
    """How many hold a record, and how many must before it is acknowledged."""

    copies: int = 1
    least: int = 1


ONE = Replicas()


def create_topics(bootstrap: str, replicas: Replicas = ONE) -> str | None:
    """Create every declared topic that is not there yet; return why that must wait."""
    if replicas.least > replicas.copies:
        raise HeadwaterError(
            f"HEADWATER_KAFKA_MIN_INSYNC is {replicas.least}, of {replicas.copies} replicas:"
            " no record would ever be acknowledged"
        )
    try:
        with closing(_client(bootstrap)) as client:
            for topic in TOPICS:
                _create(client, new_topic(topic, replicas))
    except KafkaError as error:
        if error.retriable:
            return f"topics: {error}"
        raise HeadwaterError(f"Kafka refuses the topics: {error}") from error
    return None


def new_topic(topic: Topic, replicas: Replicas) -> NewTopic:
    """Return a topic as the broker is asked for it."""
    config = topic.config | {"min.insync.replicas": str(replicas.least)}
    return NewTopic(topic.name, topic.partitions, replicas.copies, topic_configs=config)


def _create(client: KafkaAdminClient, wanted: NewTopic) -> None:
    try:
        client.create_topics([wanted], timeout_ms=30_000)
    except TopicAlreadyExistsError:
        return


def _client(bootstrap: str) -> KafkaAdminClient:
    reach(bootstrap)
    return KafkaAdminClient(
        bootstrap_servers=bootstrap, request_timeout_ms=5_000, bootstrap_timeout_ms=2_000
    )
