"""The registry's changes from Kafka: keys, tokens and tenants, read from the beginning at start."""

import logging
import threading
from collections.abc import Callable, Iterable
from typing import cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

from telemetry.changes import Change, ChangeError, decode_change
from telemetry.topics import REGISTRY_CHANGES

BATCH, WAIT_S, AWAY_S = 500, 0.5, 1.0
log = logging.getLogger(__name__)


def consumer(bootstrap: str, service: str) -> Consumer:
    """Return a consumer that keeps no place of its own: each start reads from the beginning."""
    return Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": service,
            "enable.auto.commit": False,
            "log_level": 0,
            "queued.max.messages.kbytes": 2048,
        }
    )


class Changes:
    """A thread that hands every change on; `caught_up` is set once it has all that there were."""

    def __init__(self, consumer: Consumer, apply: Callable[[Change], None]) -> None:
        self._apply = apply
        self._stopping = threading.Event()
        self.caught_up = threading.Event()
        self._consumer = consumer
        self._thread = threading.Thread(target=self._run, name="changes", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Stop reading."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow(self._assigned())
            except KafkaException as error:
                log.warning("registry.changes cannot be read, trying again: %s", error)
                self._stopping.wait(AWAY_S)
        self._consumer.close()

    def _assigned(self) -> dict[int, int]:
        """Take all partitions from their beginning, and return where each ends now."""
        topic = REGISTRY_CHANGES.name
        known = self._consumer.list_topics(topic, timeout=5).topics[topic].partitions
        if not known:
            raise KafkaException(f"no topic {topic}")
        parts = [TopicPartition(topic, number, OFFSET_BEGINNING) for number in known]
        ends = {}
        for part in parts:
            low, high = self._consumer.get_watermark_offsets(part, timeout=5)
            if high > low:
                ends[part.partition] = high
        self._consumer.assign(parts)
        return ends

    def _follow(self, ends: dict[int, int]) -> None:
        parts = [TopicPartition(REGISTRY_CHANGES.name, number) for number in ends]
        while not self._stopping.is_set():
            self._take(self._consumer.consume(BATCH, WAIT_S))
            if not self.caught_up.is_set():
                at = {part.partition: part.offset for part in self._consumer.position(parts)}
                if all(at[number] >= end for number, end in ends.items()):
                    self.caught_up.set()

    def _take(self, messages: Iterable[Message]) -> None:
        for message in messages:
            if message.error() is not None:
                continue
            try:
                change = decode_change(*_record(message))
            except ChangeError as error:
                log.error("%s", error)
                continue
            if change is not None:
                self._apply(change)


def _record(message: Message) -> tuple[bytes, bytes | None, list[tuple[str, bytes]]]:
    headers = cast("list[tuple[str, bytes]]", message.headers() or [])
    return message.key() or b"", message.value(), headers
