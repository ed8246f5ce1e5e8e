"""What brokers hold of a topic's partitions, as they keep it: over kafka-python's connections.

Its consumer makes an object of each record, and so does librdkafka's for Python: six of the eight
microseconds that a record took from Kafka to Arrow (docs/decisions/0033).
"""

import logging
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from uuid import UUID

from kafka.errors import (
    InconsistentTopicIdError,
    InvalidMetadataError,
    RetriableError,
    UnknownTopicIdError,
    for_code,
)
from kafka.net.manager import KafkaConnectionManager
from kafka.net.selector import NetworkSelector
from kafka.protocol.consumer.fetch import FetchRequest, FetchResponse
from kafka.structs import TopicPartition

from edge.listening import reach
from spark_jobs.record_batches import Aborted
from telemetry.errors import HeadwaterError

NEWEST_BY_NAME, NEWEST_BY_ID = 12, 13
"""Versions of requests. By its name a topic that was made anew meanwhile would be read instead."""
NO_ID = UUID(int=0)
OTHER_TOPIC = (UnknownTopicIdError, InconsistentTopicIdError)
READ_COMMITTED = 1
NO_SESSION = -1
UNKNOWN_EPOCH = -1
WAIT_MS = 500
PAUSE_S = 0.1
REQUEST_MS = 5000
PARTITION_BYTES = 1024 * 1024
"""Of a partition in an answer; a batch of records that is larger comes whole."""
ANSWER_BYTES = 16 * 1024 * 1024
LARGEST_ANSWER_BYTES = 256 * 1024 * 1024
# A broker that is away is told of once, by who asked for it.
logging.getLogger("kafka.net").setLevel(logging.CRITICAL)
logging.getLogger("kafka.cluster").setLevel(logging.CRITICAL)


class RefusedError(HeadwaterError):
    """A broker does not give what was asked of a partition, and will not."""

    def __init__(self, partition: int, why: str) -> None:
        self.partition = partition
        super().__init__(f"partition {partition}: {why}")


class Topic(NamedTuple):
    """A topic's name, and the broker's own id of it where there is one."""

    name: str
    id: UUID = NO_ID


class Fetched(NamedTuple):
    """Record batches from a position on, and which transactions among them were given up."""

    partition: int
    content: bytes
    aborted: tuple[Aborted, ...]


class Fetches:
    """A process's connections to the brokers; it joins no group and commits nothing."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._has_answered = False
        self._net = NetworkSelector()
        self._brokers = KafkaConnectionManager(
            self._net,
            bootstrap_servers=bootstrap,
            request_timeout_ms=REQUEST_MS,
            receive_message_max_bytes=LARGEST_ANSWER_BYTES,
            reconnect_backoff_max_ms=1000,
        )

    def close(self) -> None:
        """Close the connections."""
        self._brokers.close()
        self._net.close()

    def fetch(
        self, topic: Topic, positions: Mapping[int, int], *, give_up_s: float
    ) -> Iterator[Fetched]:
        """Yield what lies from the positions on, of some of the partitions at least.

        Raise once no broker has given anything for so long, or says that an offset is none, or
        that the topic is another one by now.
        """
        until = time.monotonic() + give_up_s
        while True:
            found = self._told(topic, positions)
            self._has_answered = bool(found)
            if found:
                yield from found
                return
            if time.monotonic() > until:
                raise HeadwaterError(f"no broker answers at {self._bootstrap}: it gives no records")

    def _told(self, topic: Topic, positions: Mapping[int, int]) -> list[Fetched]:
        """Ask the leaders once; nothing is told where they are away, or not known as yet."""
        try:
            if not self._has_answered:
                reach(self._bootstrap)
            return list(self._net.run(self._asked, topic, positions))
        except (RetriableError, OSError) as error:
            if isinstance(error, InvalidMetadataError):
                self._brokers.cluster.request_update()
            time.sleep(PAUSE_S)
            return []

    async def _asked(self, topic: Topic, positions: Mapping[int, int]) -> list[Fetched]:
        known = self._brokers.cluster.add_topic(topic.name)
        await self._brokers.wait_for(known, REQUEST_MS)
        by_leader: dict[int, dict[int, int]] = defaultdict(dict)
        for partition, offset in positions.items():
            leader = self._brokers.cluster.leader_for_partition(
                TopicPartition(topic.name, partition)
            )
            if leader is None or leader < 0:
                raise InvalidMetadataError(f"no leader of partition {partition} is known")
            by_leader[leader][partition] = offset
        asked = [
            self._brokers.send(_request(topic, of_leader), leader)
            for leader, of_leader in by_leader.items()
        ]
        return [each for answer in asked for each in _fetched(await answer)]


def _request(topic: Topic, positions: Mapping[int, int]) -> FetchRequest:
    partitions = [
        FetchRequest.FetchTopic.FetchPartition(
            partition=partition,
            current_leader_epoch=UNKNOWN_EPOCH,
            fetch_offset=offset,
            last_fetched_epoch=UNKNOWN_EPOCH,
            partition_max_bytes=PARTITION_BYTES,
        )
        for partition, offset in positions.items()
    ]
    return FetchRequest(
        max_wait_ms=WAIT_MS,
        min_bytes=1,
        max_bytes=ANSWER_BYTES,
        isolation_level=READ_COMMITTED,
        session_id=0,
        session_epoch=NO_SESSION,
        topics=[
            FetchRequest.FetchTopic(topic=topic.name, topic_id=topic.id, partitions=partitions)
        ],
        forgotten_topics_data=[],
        rack_id="",
        min_version=FetchRequest.min_version_for_isolation_level(READ_COMMITTED),
        max_version=NEWEST_BY_NAME if topic.id == NO_ID else NEWEST_BY_ID,
    )


def _fetched(answer: FetchResponse) -> Iterator[Fetched]:
    for topic in answer.responses:
        for said in topic.partitions:
            error = for_code(said.error_code)
            if issubclass(error, OTHER_TOPIC):
                raise RefusedError(said.partition_index, "the topic was deleted, or made anew")
            if issubclass(error, RetriableError):
                raise error(f"partition {said.partition_index}")
            if said.error_code:
                raise RefusedError(said.partition_index, error.description)
            if said.records:
                aborted = [
                    Aborted(each.first_offset, each.producer_id)
                    for each in said.aborted_transactions or ()
                ]
                yield Fetched(said.partition_index, bytes(said.records), tuple(aborted))
