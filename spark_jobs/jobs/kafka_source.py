"""Kafka as landing sees it: the source's options, what the broker holds, how far behind it is."""

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, UnknownTopicOrPartitionError

from edge.listening import reach
from spark_jobs.jobs.passed_moments import PassedMoments
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
    """Asks the broker for its newest offsets, since streaming commits none to it.

    `read` says up to which offset of each partition whole batches have read: behind a record may
    stand marks of transactions, which are offsets and no records.
    """

    def __init__(self, bootstrap: str, read: Callable[[], Mapping[int, int] | None]) -> None:
        self.landed_as = TELEMETRY.name
        self._bootstrap, self._read = bootstrap, read
        self._consumer: KafkaConsumer | None = None
        self._newest = 0
        self.is_known = True
        """Whether the broker said it when it was asked last."""
        self._moments = PassedMoments[int]()
        self.landed_until: float | None = None
        """Seconds since 1970: all that the broker had then is landed."""

    def look(self) -> None:
        """Note what the broker has now, so that it is known once that is landed."""
        try:
            self._looked()
        except KafkaError as error:
            log.debug("the broker does not tell its offsets: %s", error)

    def _looked(self) -> dict[int, Log]:
        at = time.time()
        logs = _logs(self._open())
        self._moments.look(at, {n: each.end for n, each in logs.items()})
        return logs

    def behind(self, landed: dict[tuple[str, int], int]) -> int:
        """Return the records not landed; what was last known while the broker is away."""
        try:
            logs = self._looked()
        except KafkaError as error:
            log.debug("the broker does not tell its offsets: %s", error)
            self.is_known = False
            return self._newest
        self.is_known = True
        read = self._read() or {}
        ends = {n: landed.get((self.landed_as, n), -1) + 1 for n in logs}
        needed = {n: max(end, read.get(n, 0)) for n, end in ends.items()}
        self.landed_until = self._moments.passed(needed)
        self._newest = unread(logs, needed)
        return self._newest

    def close(self) -> None:
        """Let go of the broker."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _open(self) -> KafkaConsumer:
        if self._consumer is None:
            reach(self._bootstrap)
            self._consumer = KafkaConsumer(
                bootstrap_servers=self._bootstrap,
                request_timeout_ms=2000,
                bootstrap_timeout_ms=2000,
                # So soon are partitions seen that were added.
                metadata_max_age_ms=30_000,
            )
        return self._consumer


def _logs(consumer: KafkaConsumer) -> dict[int, Log]:
    """Return what each partition of the topic holds now, those that were added among them."""
    known = consumer.partitions_for_topic(TELEMETRY.name)
    if not known:
        raise UnknownTopicOrPartitionError(TELEMETRY.name)
    partitions = [TopicPartition(TELEMETRY.name, number) for number in sorted(known)]
    firsts = consumer.beginning_offsets(partitions)
    ends = consumer.end_offsets(partitions)
    return {at.partition: Log(firsts[at], ends[at]) for at in partitions}


def unread(logs: Mapping[int, Log], needed: Mapping[int, int]) -> int:
    """Return how many offsets there are from the next one needed of each partition on."""
    return sum(max(0, log.end - max(log.first, needed.get(n, 0))) for n, log in logs.items())
