"""`gold.alerts` in the stream application: behind its topic by seconds, begun again if it fails."""

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException

from spark_jobs.jobs.alerts import Lives
from spark_jobs.jobs.alerts_query import LONGEST_S, PAUSE_S, Following, pause_s
from spark_jobs.lake import Lake
from tests.spark_jobs.test_alerts_job import lake_at, stored, told


class Topic:
    """A partition of `alerts.history` and what its one consumer did."""

    def __init__(self, committed: int = -1001) -> None:
        self.records: list[bytes] = []
        self.committed_to = committed
        self.position = 0

    def say(self, *lives: bytes) -> None:
        self.records += lives

    def list_topics(self, topic: str, timeout: float) -> SimpleNamespace:
        return SimpleNamespace(topics={topic: SimpleNamespace(partitions={0: None})})

    def committed(self, parts: list[SimpleNamespace], timeout: float) -> list[SimpleNamespace]:
        return [SimpleNamespace(partition=0, offset=self.committed_to)]

    def get_watermark_offsets(self, part: object, timeout: float) -> tuple[int, int]:
        return 0, len(self.records)

    def assign(self, parts: list[SimpleNamespace]) -> None:
        self.position = parts[0].offset

    def consume(self, most: int, wait_s: float) -> list[SimpleNamespace]:
        found = range(self.position, min(len(self.records), self.position + most))
        self.position = found.stop if found else self.position
        return [self._record(offset) for offset in found]

    def commit(self, *, asynchronous: bool) -> None:
        self.committed_to = self.position

    def _record(self, offset: int) -> SimpleNamespace:
        return SimpleNamespace(
            error=lambda: None,
            partition=lambda: 0,
            offset=lambda: offset,
            value=lambda: self.records[offset],
        )


class NewTopic(Topic):
    """Of a Kafka that has just begun: its first answer of all is an error."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self.errors = [KafkaException(KafkaError(code))]

    def committed(self, parts: list[SimpleNamespace], timeout: float) -> list[SimpleNamespace]:
        if self.errors:
            raise self.errors.pop()
        return super().committed(parts, timeout)


class FullDisk:
    """A lake that takes nothing."""

    def update(self, *_: object) -> None:
        raise OSError("no room")


def lives_of(topic: Topic, lake: Lake) -> Lives:
    return Lives(cast(Consumer, topic), lake)


def test_a_group_that_has_no_coordinator_yet_is_asked_for_again(tmp_path: Path) -> None:
    topic = NewTopic(KafkaError.NOT_COORDINATOR)
    assert lives_of(topic, lake_at(tmp_path)).at == {0: 0}


def test_other_errors_of_a_group_are_told(tmp_path: Path) -> None:
    topic = NewTopic(KafkaError.GROUP_AUTHORIZATION_FAILED)
    with pytest.raises(KafkaException):
        lives_of(topic, lake_at(tmp_path))


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_what_comes_is_merged_and_committed_behind_the_merge(tmp_path: Path) -> None:
    topic, lake = Topic(), lake_at(tmp_path)
    topic.say(told(1).to_json(), b"no life", told(2).to_json())
    lives = lives_of(topic, lake)

    assert (lives.bring(), lives.bring()) == (3, 0)
    topic.say(told(1, 7).to_json())
    assert lives.bring() == 1

    assert stored(lake) == {f"{1:032x}": 7.0, f"{2:032x}": 0.0}
    assert (lives.read, lives.refused, topic.committed_to) == (4, 1, 4)
    assert lives.at == lives.ends()


def test_a_merge_that_fails_is_done_again_from_where_it_was(tmp_path: Path) -> None:
    topic, lake = Topic(), lake_at(tmp_path)
    topic.say(told(1).to_json())

    with pytest.raises(OSError, match="no room"):
        lives_of(topic, cast(Lake, FullDisk())).bring()
    assert topic.committed_to < 0
    lives_of(topic, lake).bring()

    assert stored(lake) == {f"{1:032x}": 0.0}


def test_it_works_in_rounds_until_it_is_stopped() -> None:
    following = Following(lambda self: self.rounds(lambda: True))
    wait_for(lambda: following.lastProgress)
    was_active = following.isActive
    following.stop()

    assert (was_active, following.isActive) == (True, False)
    assert following.lastProgress == {"batchId": 0}
    assert following.status == {"isTriggerActive": False}
    assert following.exception() is None


def test_it_ends_by_itself_when_nothing_is_left() -> None:
    following = Following(lambda self: self.rounds(lambda: False))

    assert following.awaitTermination()
    assert following.lastProgress == {"batchId": 0}


def test_what_ended_it_is_told() -> None:
    def fail() -> bool:
        raise OSError("no broker answers")

    following = Following(lambda self: self.rounds(fail))

    with pytest.raises(OSError, match="no broker answers"):
        following.awaitTermination()
    assert not following.isActive
    assert isinstance(following.exception(), OSError)
    assert following.status == {"isTriggerActive": False}


def test_it_rests_longer_after_a_long_round_but_never_for_minutes() -> None:
    assert [pause_s(took) for took in (0.1, 10.0, 400.0)] == [PAUSE_S, 20.0, LONGEST_S]
