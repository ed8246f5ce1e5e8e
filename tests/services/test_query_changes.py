"""Keys come from the registry's topic, from its beginning, whatever happens to the broker."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition

from services.callers import digest
from services.changes import Changes
from services.directory import Directory
from services.problems import Problem
from telemetry.changes import ApiKeyBody, Change, ChangeKey, ChangeRecord, encode_change
from telemetry.topics import REGISTRY_CHANGES

NOW = datetime(2026, 6, 1, tzinfo=UTC)
KEY = "hw_0123456789ab.secret"


class Message:
    """A record as the client hands it over."""

    def __init__(self, record: ChangeRecord) -> None:
        self._record = record

    def error(self) -> None:
        return None

    def key(self) -> bytes:
        return self._record.key

    def value(self) -> bytes | None:
        return self._record.value

    def headers(self) -> list[tuple[str, bytes]]:
        return self._record.headers


class Topic:
    """One partition of records; the broker is away for the first look."""

    def __init__(self, records: list[ChangeRecord]) -> None:
        self.records, self.at, self.tries = records, 0, 0

    def list_topics(self, name: str, timeout: float) -> SimpleNamespace:
        self.tries += 1
        if self.tries == 1:
            raise KafkaException("away")
        return SimpleNamespace(topics={name: SimpleNamespace(partitions={0: None})})

    def get_watermark_offsets(self, part: TopicPartition, timeout: float) -> tuple[int, int]:
        return 0, len(self.records)

    def assign(self, parts: list[TopicPartition]) -> None:
        self.at = 0

    def consume(self, count: int, wait_s: float) -> list[Message]:
        found = self.records[self.at : self.at + 1]
        self.at += len(found)
        return [Message(record) for record in found]

    def position(self, parts: list[TopicPartition]) -> list[TopicPartition]:
        return [TopicPartition(REGISTRY_CHANGES.name, 0, self.at)]

    def close(self) -> None:
        return None


def record(edition: int, body: ApiKeyBody | None) -> ChangeRecord:
    key = ChangeKey("api_key", "default", "0123456789ab")
    return encode_change(Change(key, edition, NOW, body))


def read(*records: ChangeRecord) -> Directory:
    directory = Directory()
    changes = Changes(cast(Consumer, Topic(list(records))), directory.apply)
    changes.start()
    assert changes.caught_up.wait(20)
    changes.stop()
    return directory


def test_key_of_the_registry_is_known_once_its_change_is_read() -> None:
    body = ApiKeyBody(digest(KEY), "viewer")
    junk = ChangeRecord(b"api_key/default/x", b"{", [])
    found = read(junk, record(1, body)).caller(KEY, NOW)
    assert found is not None
    assert (found.tenant, found.role) == ("default", "viewer")


def test_revoked_key_is_none() -> None:
    body = ApiKeyBody(digest(KEY), "viewer")
    assert read(record(1, body), record(2, None)).caller(KEY, NOW) is None
    # What is older than what was read changes nothing.
    assert read(record(2, None), record(1, body)).caller(KEY, NOW) is None


def refusal(directory: Directory, text: str = KEY) -> Problem:
    with pytest.raises(Problem) as refused:
        directory.known(text, NOW)
    return refused.value


def test_no_key_is_believed_or_refused_before_all_was_read() -> None:
    """A revoked key's own change comes before that of its end."""
    directory, seen = Directory(), list[Problem]()

    def apply(change: Change) -> None:
        directory.apply(change)
        seen.append(refusal(directory))

    records = [record(1, ApiKeyBody(digest(KEY), "viewer")), record(2, None)]
    changes = Changes(cast(Consumer, Topic(records)), apply)
    directory.is_read = changes.caught_up.is_set
    assert refusal(directory, "").status == 401
    changes.start()
    assert changes.caught_up.wait(20)
    changes.stop()
    assert [each.status for each in seen] == [503, 503]
    assert seen[0].headers["Retry-After"] == "1"
    assert refusal(directory).status == 401
