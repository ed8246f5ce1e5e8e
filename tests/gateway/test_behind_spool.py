"""A device whose class changes while the spool has messages of it: they stay in their order."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.behind_spool import BehindSpool
from gateway.counters import Counters
from gateway.fallback import FallbackOutlet
from gateway.outlet import Outlet, OutletError
from tests.gateway.outlets import MemoryOutlet
from tests.gateway.test_fallback import Answers, FakeKafka, drained, settled


class Topic(FakeKafka):
    """A broker of which another client writes to the same topic."""

    def other(self) -> MemoryOutlet:
        """Return the client of class consumer."""
        return MemoryOutlet(taken=self.taken)


class Outlets(NamedTuple):
    """The outlets of both classes, with what is behind them."""

    kafka: Topic
    other: MemoryOutlet
    industrial: FallbackOutlet
    consumer: BehindSpool

    @property
    def values(self) -> list[bytes]:
        """Return what is in the topic, in its order."""
        return [each.value for each in self.kafka.taken]


def opened(folder: Path) -> Outlets:
    kafka = Topic()
    other = kafka.other()
    industrial = FallbackOutlet(kafka, folder, Counters(), most_bytes=1_000_000)
    return Outlets(kafka, other, industrial, BehindSpool(other, industrial))


@pytest.fixture
def outlets(tmp_path: Path) -> Iterator[Outlets]:
    found = opened(tmp_path)
    yield found
    found.industrial.close(5)


def send(outlet: Outlet, answers: Answers, value: bytes, key: bytes = b"d1") -> None:
    outlet.send("telemetry", key, value, {"tenant": b"default"}, answers.settle)


def test_messages_of_the_new_class_go_behind_those_in_the_spool(outlets: Outlets) -> None:
    answers = Answers()
    outlets.kafka.is_away = True
    send(outlets.industrial, answers, b"1")
    send(outlets.consumer, answers, b"2")  # not on disk yet
    settled(outlets.industrial, answers, 2)
    outlets.kafka.is_away = False
    send(outlets.consumer, answers, b"3")
    send(outlets.consumer, answers, b"other", b"d2")
    outlets.other.poll()
    settled(outlets.industrial, answers, 4)
    drained(outlets.industrial)
    send(outlets.consumer, answers, b"4")
    outlets.other.poll()

    assert answers.told == [None] * 5
    assert outlets.values == [b"other", b"1", b"2", b"3", b"4"]


def test_messages_go_behind_those_that_an_earlier_process_has_left(tmp_path: Path) -> None:
    first, answers = opened(tmp_path), Answers()
    first.kafka.is_away = True
    send(first.industrial, answers, b"1")
    settled(first.industrial, answers, 1)
    first.industrial.close(5)
    second = opened(tmp_path)

    send(second.consumer, answers, b"2")
    settled(second.industrial, answers, 2)
    drained(second.industrial)

    assert second.values == [b"1", b"2"]
    assert second.industrial.close(5) == 0


def test_messages_go_behind_those_that_are_on_their_way(outlets: Outlets) -> None:
    answers = Answers()
    outlets.kafka.is_held = outlets.kafka.is_on_way = True
    send(outlets.industrial, answers, b"1")
    send(outlets.consumer, answers, b"2")
    assert [each.value for each in outlets.kafka.taken] == [b"1", b"2"]
    outlets.kafka.is_held = False
    settled(outlets.industrial, answers, 2)
    send(outlets.consumer, answers, b"3")
    outlets.other.poll()

    assert answers.told == [None] * 3
    assert not outlets.industrial.is_spooling


def test_device_without_any_in_the_spool_is_refused_while_kafka_is_away(outlets: Outlets) -> None:
    answers = Answers()
    outlets.kafka.is_away = outlets.other.is_away = True
    send(outlets.industrial, answers, b"1")

    with pytest.raises(OutletError):
        send(outlets.consumer, answers, b"2", b"d2")
    with pytest.raises(OutletError):
        outlets.consumer.room(1, b"d2")
    assert outlets.consumer.room(1, b"d1") > 7
    settled(outlets.industrial, answers, 1)


def test_room_is_that_of_kafka_where_the_spool_has_nothing(outlets: Outlets) -> None:
    outlets.other.most_waiting = 7
    assert outlets.consumer.room(1, b"d1") == 7


def test_what_the_spool_does_not_take_holds_nobody_up(tmp_path: Path) -> None:
    answers = Answers()
    full = FallbackOutlet(FakeKafka(is_away=True), tmp_path / "full", Counters(), most_bytes=0)
    with pytest.raises(OutletError):
        send(full, answers, b"1")
    assert not full.holds(b"d1")
    full.close(5)
