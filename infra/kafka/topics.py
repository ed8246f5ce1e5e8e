"""Topics as declared, and whether the broker answers; by kafka-python, whose job this is."""

import socket
from contextlib import closing

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaConnectionError, KafkaError, TopicAlreadyExistsError

from telemetry.errors import HeadwaterError
from telemetry.topics import TOPICS, Topic

REACH_S = 2.0


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
    _reach(bootstrap)
    return KafkaAdminClient(
        bootstrap_servers=bootstrap, request_timeout_ms=5_000, bootstrap_timeout_ms=2_000
    )


def _reach(bootstrap: str) -> None:
    """Raise if no server listens: the client would try for seconds and leave its sockets open."""
    for server in bootstrap.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            socket.create_connection((host, int(port)), timeout=REACH_S).close()
        except (OSError, ValueError):
            continue
        return
    raise KafkaConnectionError(f"nobody listens at {bootstrap}")
