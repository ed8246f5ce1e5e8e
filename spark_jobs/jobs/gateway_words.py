"""What gateways told of their pages, and records of theirs that do not land: of Kafka or files."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from confluent_kafka import Consumer, Message, TopicPartition

from spark_jobs.transforms.gateway_pages import Told
from telemetry.accounts import PAGE_HEADER, PAGES, page_of
from telemetry.settings import Settings
from telemetry.topics import GATEWAY_PAGES, TELEMETRY_DEAD, UPLINK

PLACES = {"dead": TELEMETRY_DEAD.name, "uplink": UPLINK.name}
AT_ONCE, WAIT_S, TRIES = 20_000, 1.0, 20
ANSWER_S = 10.0


class Words(Protocol):
    """Where gateways tell, and keep what does not land."""

    def told(self) -> Iterable[Told]:
        """Return every word that is still known, each gateway's in the order of telling."""

    def kept(self, since: datetime) -> dict[str, Counter[str]]:
        """Count the records of each page in the topics that are not landed, by place."""


class FileWords:
    """The light stack: pages are files, and all records land."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = folders

    def told(self) -> Iterator[Told]:
        """Return the newest word on each page."""
        for folder in self._folders:
            paths = [(path.stat().st_mtime, path) for path in (folder / PAGES).glob("*.json")]
            for at, path in sorted(paths):
                page = page_of(path.read_bytes())
                if page is not None:
                    yield Told(page, datetime.fromtimestamp(at, UTC))

    def kept(self, since: datetime) -> dict[str, Counter[str]]:
        """Nothing is kept elsewhere."""
        return {place: Counter() for place in PLACES}


class KafkaWords:
    """Topics, each read from a moment to where it ends now."""

    def __init__(self, bootstrap: str) -> None:
        self._options: dict[str, str | int | float | bool] = {
            "bootstrap.servers": bootstrap,
            "group.id": "headwater-conservation",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "log_level": 0,
        }

    def told(self) -> Iterator[Told]:
        """Return every word that the topic holds; it has one partition."""
        for record in self._records(GATEWAY_PAGES.name, datetime.fromtimestamp(0, UTC)):
            page = page_of(record.value() or b"")
            if page is not None:
                yield Told(page, datetime.fromtimestamp(record.timestamp()[1] / 1000, UTC))

    def kept(self, since: datetime) -> dict[str, Counter[str]]:
        """Count the records appended since a moment."""
        return {
            place: Counter(
                value.decode()
                for record in self._records(topic, since)
                for value in _headers(record, PAGE_HEADER)
            )
            for place, topic in PLACES.items()
        }

    def _records(self, topic: str, since: datetime) -> Iterator[Message]:
        with closing(Consumer(self._options)) as consumer:
            at, ends = _assigned(consumer, topic, since)
            tries = TRIES
            while any(at[part] < end for part, end in ends.items()):
                records = [one for one in consumer.consume(AT_ONCE, WAIT_S) if one.error() is None]
                at |= {one.partition(): (one.offset() or 0) + 1 for one in records}
                tries = TRIES if records else tries - 1
                if not tries:
                    raise TimeoutError(f"Kafka holds back records of {topic}")
                yield from records


def _assigned(
    consumer: Consumer, topic: str, since: datetime
) -> tuple[dict[int | None, int], dict[int | None, int]]:
    """Take all partitions from a moment on; return where each begins and ends now."""
    known = consumer.list_topics(topic, timeout=ANSWER_S).topics[topic].partitions
    moment_ms = round(since.timestamp() * 1000)
    asked = [TopicPartition(topic, number, moment_ms) for number in known]
    parts = consumer.offsets_for_times(asked, timeout=ANSWER_S)
    ends: dict[int | None, int] = {}
    for part in parts:
        low, high = consumer.get_watermark_offsets(part, timeout=ANSWER_S)
        ends[part.partition] = high
        part.offset = high if part.offset < 0 else max(part.offset, low)
    consumer.assign(parts)
    return {part.partition: part.offset for part in parts}, ends


def _headers(record: Message, name: str) -> Iterator[bytes]:
    for pair in record.headers() or ():
        if pair[0] == name and isinstance(pair[1], bytes):
            yield pair[1]


def words_of(settings: Settings, mode: str) -> Words:
    """Return where the gateways of a stack tell."""
    if mode == "light":
        return FileWords((settings.gateway_dir, settings.bridge_dir))
    return KafkaWords(settings.kafka_bootstrap)
