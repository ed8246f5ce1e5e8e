"""What the gateway reads from Kafka: the registry's changes, and what goes down to devices."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Literal, NamedTuple, cast

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

BATCH = 500
WAIT_S = 0.2


class Record(NamedTuple):
    """A record as a feed hands it on."""

    key: bytes
    value: bytes | None
    headers: dict[str, bytes]


Handle = Callable[[list[Record]], None]


class Feed:
    """Reads a topic on a thread of its own, and hands records on the loop's."""

    patience_s = 60.0
    """Without one more record of those that were there, after which they are not waited for."""

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        handle: Handle,
        *,
        group: str,
        begin: Literal["beginning", "committed"],
    ) -> None:
        """Read from the beginning each time, or go on behind what the group has handed on."""
        self._topic = topic
        self._handle = handle
        self._begin = begin
        self._loop = asyncio.get_running_loop()
        self._is_stopped = False
        self.begun = asyncio.Event()
        """Set once it is known where reading begins: what comes from then on is read."""
        self.caught_up = asyncio.Event()
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest" if begin == "beginning" else "latest",
                "log_level": 0,
                "fetch.wait.max.ms": 100,
                "queued.max.messages.kbytes": 4096,
            }
        )
        self._thread = threading.Thread(target=self._read, name=f"feed-{topic}", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while not self._is_stopped:
            try:
                self._read_on(self._assigned())
            except KafkaException:
                time.sleep(1.0)
        self._consumer.close()

    def _assigned(self) -> dict[int, int]:
        """Take all partitions, and return where each one ends now."""
        known = self._consumer.list_topics(self._topic, timeout=5).topics[self._topic].partitions
        if not known:
            raise KafkaException(f"no topic {self._topic}")
        parts = [TopicPartition(self._topic, number) for number in known]
        if self._begin == "committed":
            parts = self._consumer.committed(parts, timeout=5)
        ends: dict[int, int] = {}
        for part in parts:
            low, high = self._consumer.get_watermark_offsets(part, timeout=5)
            ends[part.partition] = high
            if self._begin == "beginning":
                part.offset = OFFSET_BEGINNING if high > low else high
            elif part.offset < 0:
                part.offset = high
            elif not low <= part.offset <= high:
                # Kafka keeps them for so long only, or began anew: what it has is for devices.
                part.offset = low
        self._consumer.assign(parts)
        if self._begin == "committed":
            # A place that was never noted would be the newest again after the next start.
            self._consumer.commit(offsets=parts, asynchronous=False)
        self._loop.call_soon_threadsafe(self.begun.set)
        return {number: high for number, high in ends.items() if high}

    def _read_on(self, ends: dict[int, int]) -> None:
        heard_at = time.monotonic()
        while not self._is_stopped:
            messages = self._consumer.consume(BATCH, WAIT_S)
            good = [message for message in messages if message.error() is None]
            if good:
                self._hand_on(good)
                heard_at = time.monotonic()
            if not self.caught_up.is_set():
                at = {p.partition: p.offset for p in self._consumer.position(self._parts(ends))}
                is_late = time.monotonic() - heard_at > self.patience_s
                if is_late or all(at.get(number, -1) >= end for number, end in ends.items()):
                    self._loop.call_soon_threadsafe(self.caught_up.set)

    def _parts(self, ends: dict[int, int]) -> list[TopicPartition]:
        return [TopicPartition(self._topic, number) for number in ends]

    def _hand_on(self, messages: list[Message]) -> None:
        """Hand records to the loop, wait until it has taken them, then commit."""
        taken = threading.Event()
        records = [_record(message) for message in messages]

        def take() -> None:
            try:
                self._handle(records)
            finally:
                taken.set()

        self._loop.call_soon_threadsafe(take)
        while not taken.wait(WAIT_S) and not self._is_stopped:
            pass
        if self._begin == "committed" and taken.is_set():
            # All partitions: the last message is of one of them.
            self._consumer.commit(asynchronous=True)

    async def close(self) -> None:
        """Stop reading."""
        self._is_stopped = True
        await asyncio.to_thread(self._thread.join, 5)


def _record(message: Message) -> Record:
    headers = {
        str(name): value.encode() if isinstance(value, str) else value or b""
        for name, value in cast("list[tuple[str, bytes | str | None]]", message.headers() or [])
    }
    key, value = message.key(), message.value()
    return Record(_bytes(key) or b"", _bytes(value), headers)


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
