"""What a topic holds, read as landing reads it: by the message's key, once each."""

import time
from collections import defaultdict

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

from telemetry.judge import judge
from telemetry.records import Record
from telemetry.registry import Registry
from telemetry.topics import TELEMETRY

Key = tuple[str, str, str, int]
TOLERANCE_US = 5 * 60 * 1_000_000
NOBODY = Registry([], [])
KNOWN_AGAIN_WITHIN_S = 60.0


class TopicReader:
    """Reads the topic from its beginning, on and on."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._parts = [TopicPartition(TELEMETRY.name, n) for n in range(TELEMETRY.partitions)]
        for part in self._parts:
            part.offset = OFFSET_BEGINNING
        self._consumer = self._opened(self._parts)
        self.contents: dict[Key, list[bytes]] = defaultdict(list)
        """Every copy's bytes by key; landing keeps the first copy of a key."""

    def _opened(self, parts: list[TopicPartition]) -> Consumer:
        consumer = Consumer(
            {"bootstrap.servers": self._bootstrap, "group.id": "proof", "log_level": 0,
             "enable.auto.commit": False}
        )  # fmt: skip
        consumer.assign(parts)
        return consumer

    def refresh(self) -> None:
        """Read up to the present end."""
        ends = {part.partition: self._end(part) for part in self._parts}
        at = dict.fromkeys(ends, 0)
        at |= {part.partition: max(part.offset, 0) for part in self._position()}
        while any(at[number] < end for number, end in ends.items()):
            for message in self._consumer.consume(5_000, 0.1):
                self._take(message)
            at |= {part.partition: max(part.offset, 0) for part in self._position()}

    def _end(self, part: TopicPartition) -> int:
        """Return a partition's end, once a broker that was away says that it has it."""
        give_up = time.monotonic() + KNOWN_AGAIN_WITHIN_S
        while True:
            try:
                return int(self._consumer.get_watermark_offsets(part, timeout=10)[1])
            except KafkaException:
                if time.monotonic() > give_up:
                    raise
                # One that held a topic to be gone, while the broker was, does not find it again.
                time.sleep(1.0)
                self._renew()

    def _renew(self) -> None:
        """Go on with another consumer where this one is."""
        parts = self._position()
        for part in parts:
            part.offset = part.offset if part.offset >= 0 else OFFSET_BEGINNING
        self._consumer.close()
        self._consumer = self._opened(parts)

    def _position(self) -> list[TopicPartition]:
        return self._consumer.position(self._parts)

    def _take(self, message: Message) -> None:
        assert message.error() is None, message.error()
        for found in judge(_record(message), NOBODY, tolerance_us=TOLERANCE_US):
            assert found.device_full is not None
            key = (found.tenant, found.device_full, found.boot, found.seq)
            self.contents[key].append(found.raw)

    def of(self, device_full: str) -> dict[bytes, int]:
        """Return how many keys have each content, of one device."""
        found: dict[bytes, int] = defaultdict(int)
        for key, copies in self.contents.items():
            if key[1] == device_full:
                assert len(set(copies)) == 1, f"{key} has two contents"
                found[copies[0]] += 1
        return found

    def copies(self, device_full: str) -> int:
        """Return how many messages of a device the topic holds, copies of one key included."""
        return sum(len(copies) for key, copies in self.contents.items() if key[1] == device_full)

    def close(self) -> None:
        self._consumer.close()


def _record(message: Message) -> Record:
    found = message.headers() or []
    pairs = found.items() if isinstance(found, dict) else found
    headers = {
        name: value.encode() if isinstance(value, str) else value or b"" for name, value in pairs
    }
    key, value = message.key(), message.value()
    return Record(
        TELEMETRY.name,
        message.partition() or 0,
        message.offset() or 0,
        message.timestamp()[1] * 1000,
        key.encode() if isinstance(key, str) else key,
        value.encode() if isinstance(value, str) else value,
        headers,
    )
