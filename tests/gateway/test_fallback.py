"""Kafka with a spool beside it: nothing acknowledged is lost, and devices keep their order."""

import asyncio
import time
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.counters import Counters
from gateway.fallback import FallbackOutlet
from gateway.outlet import Headers, OutletError
from tests.gateway.outlets import MemoryOutlet

STAMP: Headers = {"tenant": b"default", "received_at": b"1795000000000000", "gateway": b"g1-a-1"}


class FakeKafka(MemoryOutlet):
    """A broker that comes and goes."""

    is_on_way = False
    """Whether what waits was sent already, so that it cannot be given up."""

    def purge(self) -> None:
        if self.is_on_way:
            return
        waiting, self.waiting = self.waiting, []
        self.taken = self.taken[: len(self.taken) - len(waiting)]
        for settle in waiting:
            settle("purged", None)


class Answers:
    """What senders were told, in order."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def settle(self, error: object, _message: object) -> None:
        self.told.append(error)


def send(outlet: FallbackOutlet, answers: Answers, *values: bytes) -> None:
    for value in values:
        outlet.send("telemetry", b"d1", value, {"tenant": b"default"}, answers.settle)


def settled(outlet: FallbackOutlet, answers: Answers, count: int) -> None:
    give_up = time.monotonic() + 10
    while len(answers.told) < count and time.monotonic() < give_up:
        outlet.poll()
        time.sleep(0.005)
    assert len(answers.told) == count


def drained(outlet: FallbackOutlet) -> None:
    async def until_empty() -> None:
        draining = asyncio.create_task(outlet.drain())
        give_up = time.monotonic() + 15
        while outlet.is_spooling and time.monotonic() < give_up:
            await asyncio.sleep(0.02)
        draining.cancel()
        with suppress(asyncio.CancelledError):
            await draining

    asyncio.run(until_empty())
    assert not outlet.is_spooling


def test_records_go_to_disk_while_kafka_is_away_and_then_on_in_their_order(tmp_path: Path) -> None:
    kafka, answers = FakeKafka(), Answers()
    outlet = FallbackOutlet(kafka, tmp_path, Counters(), most_bytes=1_000_000)
    send(outlet, answers, b"1")
    settled(outlet, answers, 1)

    kafka.is_held = True
    send(outlet, answers, b"2")
    kafka.is_away = True  # known while 2 is still queued
    settled(outlet, answers, 2)
    send(outlet, answers, b"3")
    settled(outlet, answers, 3)
    assert [taken.value for taken in kafka.taken] == [b"1"]

    kafka.is_away = kafka.is_held = False
    send(outlet, answers, b"4")  # behind what is on disk
    settled(outlet, answers, 4)
    drained(outlet)

    assert answers.told == [None] * 4
    assert [taken.value for taken in kafka.taken] == [b"1", b"2", b"3", b"4"]
    assert {taken.topic for taken in kafka.taken} == {"telemetry"}
    assert all(taken.headers == {"tenant": b"default"} for taken in kafka.taken)
    assert outlet.close(5) == 0


def test_record_that_comes_later_goes_to_disk_behind_those_that_are_still_on_their_way(
    tmp_path: Path,
) -> None:
    kafka, answers = FakeKafka(is_held=True), Answers()
    kafka.is_on_way = True
    outlet = FallbackOutlet(kafka, tmp_path, Counters(), most_bytes=1_000_000)
    send(outlet, answers, b"1", b"2", b"3")
    for place in (1, 0):  # 2 times out, then 1, and 3 is not decided when 4 comes
        kafka.waiting.pop(place)("timed out", None)
    send(outlet, answers, b"4")
    outlet.send("telemetry", b"d2", b"other", {}, answers.settle)
    settled(outlet, answers, 1)
    kafka.waiting.pop()("timed out", None)
    settled(outlet, answers, 5)

    kafka.is_held, kafka.taken = False, []
    drained(outlet)

    assert answers.told == [None] * 5
    own = [taken.value for taken in kafka.taken if taken.key == b"d1"]
    assert own == [b"1", b"2", b"3", b"4"]
    outlet.close(5)


def test_what_is_queued_behind_a_record_that_timed_out_goes_to_disk_with_it(tmp_path: Path) -> None:
    kafka, answers = FakeKafka(is_held=True), Answers()
    outlet = FallbackOutlet(kafka, tmp_path, Counters(), most_bytes=1_000_000)
    send(outlet, answers, b"1", b"2", b"3")
    kafka.waiting.pop(0)("timed out", None)
    settled(outlet, answers, 3)

    kafka.is_held, kafka.taken = False, []
    drained(outlet)

    assert [taken.value for taken in kafka.taken] == [b"1", b"2", b"3"]
    outlet.close(5)


def test_what_waits_for_its_turn_counts_in_the_spools_room(tmp_path: Path) -> None:
    kafka, answers = FakeKafka(is_held=True), Answers()
    outlet = FallbackOutlet(kafka, tmp_path, Counters(), most_bytes=1_000)
    send(outlet, answers, b"1", b"2")
    kafka.waiting.pop()("timed out", None)
    send(outlet, answers, b"x" * 1_000)
    with pytest.raises(OutletError, match="full"):
        send(outlet, answers, b"y")
    assert answers.told == []
    kafka.waiting.pop()("timed out", None)
    settled(outlet, answers, 3)
    outlet.close(5)


def test_what_waits_for_its_turn_is_not_settled(tmp_path: Path) -> None:
    kafka, answers = FakeKafka(is_held=True), Answers()
    outlet = FallbackOutlet(kafka, tmp_path, Counters(), most_bytes=1_000)
    send(outlet, answers, b"1", b"2")
    kafka.waiting.pop()("timed out", None)

    assert outlet.close(1) == 2
    assert answers.told == []


def test_both_copies_of_what_kafka_took_too_late_name_the_same_arrival(tmp_path: Path) -> None:
    kafka, answers = FakeKafka(error="timed out"), Answers()
    outlet = FallbackOutlet(kafka, tmp_path, Counters(), most_bytes=1_000_000)
    outlet.send("telemetry", b"d1", b"1", STAMP, answers.settle)
    settled(outlet, answers, 1)

    kafka.error = None
    drained(outlet)

    assert answers.told == [None]
    assert kafka.taken == [("telemetry", b"d1", b"1", STAMP)] * 2
    outlet.close(5)


def test_what_a_killed_gateway_left_on_disk_goes_on_with_the_next(tmp_path: Path) -> None:
    kafka, answers = FakeKafka(is_away=True), Answers()
    first = FallbackOutlet(kafka, tmp_path, Counters(), most_bytes=1_000_000)
    send(first, answers, b"1", b"2")
    settled(first, answers, 2)
    first.close(5)

    kafka.is_away = False
    second = FallbackOutlet(kafka, tmp_path, Counters(), most_bytes=1_000_000)
    assert second.is_spooling
    drained(second)
    assert [taken.value for taken in kafka.taken] == [b"1", b"2"]
    second.close(5)


def test_spool_that_is_full_refuses(tmp_path: Path) -> None:
    kafka, answers = FakeKafka(is_away=True), Answers()
    outlet = FallbackOutlet(kafka, tmp_path, Counters(), most_bytes=100)
    send(outlet, answers, b"x" * 200)
    settled(outlet, answers, 1)

    with pytest.raises(OutletError, match="full"):
        send(outlet, answers, b"y")
    outlet.close(5)


def test_spool_has_room_again_for_what_was_handed_on_although_it_is_not_empty(
    tmp_path: Path,
) -> None:
    kafka, answers = FakeKafka(is_away=True), Answers()
    outlet = FallbackOutlet(kafka, tmp_path, Counters(), most_bytes=1_000)
    for number in range(1, 11):
        send(outlet, answers, b"%100d" % number)
        settled(outlet, answers, number)
    with pytest.raises(OutletError, match="full"):
        send(outlet, answers, b"y")

    kafka.is_away, kafka.falls_after = False, 5
    asyncio.run(handed_on(outlet, kafka))
    send(outlet, answers, b"%100d" % 11)
    settled(outlet, answers, 11)

    kafka.is_away, kafka.falls_after = False, None
    drained(outlet)
    assert {int(taken.value) for taken in kafka.taken} == set(range(1, 12))
    outlet.close(5)


def test_small_segments_are_handed_on_together(tmp_path: Path) -> None:
    kafka, answers = SlowKafka(is_away=True), Answers()
    outlet = FallbackOutlet(kafka, tmp_path, Counters(), most_bytes=1_000_000)
    for number in range(1, 31):
        send(outlet, answers, b"%d" % number)
        settled(outlet, answers, number)
    assert len([*(tmp_path / "segments").glob("*.parquet")]) == 30

    kafka.is_away = False
    drained(outlet)

    assert [int(taken.value) for taken in kafka.taken] == [*range(1, 31)]
    assert kafka.rounds == 2, "the first record alone, and all others"
    outlet.close(5)


class SlowKafka(FakeKafka):
    """Counts how often it answers."""

    rounds = 0

    def poll(self) -> int:
        self.rounds += bool(self.waiting)
        return super().poll()


async def handed_on(outlet: FallbackOutlet, kafka: FakeKafka) -> None:
    """Hand on what is on disk until Kafka is away, and what it took is known."""
    draining = asyncio.create_task(outlet.drain())
    give_up = time.monotonic() + 15
    while not (kafka.is_away and has_room(outlet)) and time.monotonic() < give_up:
        await asyncio.sleep(0.02)
    draining.cancel()
    with suppress(asyncio.CancelledError):
        await draining
    assert outlet.is_spooling


def has_room(outlet: FallbackOutlet) -> bool:
    try:
        return outlet.room() > 0
    except OutletError:
        return False


def test_room_is_known_before_anything_is_sent(tmp_path: Path) -> None:
    kafka = FakeKafka(is_away=True)
    outlet = FallbackOutlet(kafka, tmp_path, Counters(), most_bytes=1_000)

    assert outlet.room(900) > 0
    with pytest.raises(OutletError, match="full"):
        outlet.room(1_100)
    kafka.is_away = False
    assert outlet.room(1_100) > 0
    outlet.close(5)
