"""Topics as declared, and whether the broker answers; by kafka-python, whose job this is."""

from contextlib import closing

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


def create_topics(bootstrap: str) -> str | None:
    """Create every declared topic that is not there yet; return why that must wait."""
    try:
        with closing(_client(bootstrap)) as client:
            for topic in TOPICS:
                _create(client, topic)
    except KafkaError as error:
        if error.retriable:
            return f"topics: {error}"
        raise HeadwaterError(f"Kafka refuses the topics: {error}") from error
    return None


def _create(client: KafkaAdminClient, topic: Topic) -> None:
    wanted = NewTopic(topic.name, topic.partitions, 1, topic_configs=topic.config)
    try:
        client.create_topics([wanted], timeout_ms=30_000)
    except TopicAlreadyExistsError:
        return


def _client(bootstrap: str) -> KafkaAdminClient:
    reach(bootstrap)
    return KafkaAdminClient(
        bootstrap_servers=bootstrap, request_timeout_ms=5_000, bootstrap_timeout_ms=2_000
    )
