"""Kafka as landing sees it: the source's options, what the broker holds, how far behind it is."""

import logging
from contextlib import closing
from typing import NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from edge.listening import reach
from spark_jobs.lost_offsets import Log
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from telemetry.topics import TELEMETRY

TIMEOUT_MS = 10_000
log = logging.getLogger(__name__)


class BrokerAwayError(HeadwaterError):
    """Kafka cannot be asked at the moment."""


class TopicNow(NamedTuple):
    """The topic as the broker has it: its own id, and what each partition holds."""

    id: str
    logs: dict[int, Log]


def topic_now(bootstrap: str) -> TopicNow:
    """Ask the broker for the topic; raise if it does not answer."""
    limits = {"bootstrap_servers": bootstrap, "request_timeout_ms": TIMEOUT_MS}
    limits["bootstrap_timeout_ms"] = TIMEOUT_MS
    try:
        reach(bootstrap)
        with closing(KafkaAdminClient(**limits)) as admin:
            (topic,) = admin.describe_topics([TELEMETRY.name])
        found = [partition["partition_index"] for partition in topic["partitions"]]
        partitions = [TopicPartition(TELEMETRY.name, number) for number in sorted(found)]
        with closing(KafkaConsumer(**limits)) as consumer:
            firsts = consumer.beginning_offsets(partitions)
            ends = consumer.end_offsets(partitions)
    except KafkaError as error:
        raise BrokerAwayError(f"no broker answers at {bootstrap}: {error}") from error
    if not partitions:
        raise BrokerAwayError(f"no broker answers for the topic {TELEMETRY.name} at {bootstrap}")
    logs = {at.partition: Log(firsts[at], ends[at]) for at in partitions}
    return TopicNow(str(topic["topic_id"]), logs)


def kafka_options(settings: Settings) -> dict[str, str]:
    """Return the options of the Kafka source but where it starts; lost offsets stop the query."""
    return {
        "kafka.bootstrap.servers": settings.kafka_bootstrap,
        "subscribe": TELEMETRY.name,
        "failOnDataLoss": "true",
        "includeHeaders": "true",
        "maxOffsetsPerTrigger": str(settings.max_offsets_per_batch),
        "kafka.isolation.level": "read_committed",
        "kafka.max.poll.records": "5000",
        "kafka.fetch.max.bytes": str(16 * 1024 * 1024),
        "kafka.max.partition.fetch.bytes": str(8 * 1024 * 1024),
        "kafka.request.timeout.ms": "10000",
        "kafka.default.api.timeout.ms": "15000",
    }


class KafkaLag:
    """Asks the broker for its newest offsets, since streaming commits none to it."""

    def __init__(self, bootstrap: str) -> None:
        self.landed_as = TELEMETRY.name
        self._bootstrap = bootstrap
        self._consumer: KafkaConsumer | None = None
        self._partitions = [TopicPartition(TELEMETRY.name, n) for n in range(TELEMETRY.partitions)]
        self._newest = 0

    def behind(self, landed: dict[tuple[str, int], int]) -> int:
        """Return the records not landed; what was last known while the broker is away."""
        try:
            consumer = self._open()
            lows = consumer.beginning_offsets(self._partitions)
            highs = consumer.end_offsets(self._partitions)
        except KafkaError as error:
            log.debug("the broker does not tell its offsets: %s", error)
            return self._newest
        behind = (
            high - max(lows[at], landed.get((self.landed_as, at.partition), -1) + 1)
            for at, high in highs.items()
        )
        self._newest = max(0, sum(behind))
        return self._newest

    def _open(self) -> KafkaConsumer:
        if self._consumer is None:
            reach(self._bootstrap)
            self._consumer = KafkaConsumer(
                bootstrap_servers=self._bootstrap,
                request_timeout_ms=2000,
                bootstrap_timeout_ms=2000,
            )
        return self._consumer
