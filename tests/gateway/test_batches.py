"""Batches beside other work of the gateway."""

import asyncio
from collections.abc import Awaitable

import pytest

from gateway.batches import MOST_RECORDS, TURN, ingest_batch
from gateway.channels import Channel
from gateway.identity import Identity
from gateway.outcome import Rejected
from telemetry.records import JSON
from tests.gateway.entrances import NOW_US, House, house


@pytest.fixture
def place() -> House:
    return house(is_anonymous=True)


def channel(place: House) -> Channel:
    found = place.entrance.channel(
        Identity("default", "d1", "local/test"), "devices/d1/telemetry", protocol="http"
    )
    assert isinstance(found, Channel)
    return found


def lines(count: int) -> list[bytes]:
    return [b'{"seq":%d,"metrics":{"n":1}}' % number for number in range(count)]


def test_others_have_their_turn_during_a_large_batch(place: House) -> None:
    async def count_turns() -> int:
        sending = asyncio.create_task(send(place, lines(MOST_RECORDS)))
        turns = 0
        while len(place.outlet.taken) < MOST_RECORDS:
            turns += 1
            await asyncio.sleep(0)
        place.outlet.poll()
        assert await sending == MOST_RECORDS
        return turns

    assert asyncio.run(count_turns()) > 2 * MOST_RECORDS // TURN - 2


def test_others_have_their_turn_between_long_lists(place: House) -> None:
    long = b"[" + b",".join(lines(4_000)) + b"]"

    async def count_turns() -> int:
        sending = asyncio.create_task(send(place, [long] * 20))
        turns = 0
        while len(place.outlet.taken) < 20:
            turns += 1
            await asyncio.sleep(0)
        place.outlet.poll()
        assert await sending == 20 * 4_000
        return turns

    assert asyncio.run(count_turns()) > 5


def test_batch_keeps_its_order_and_waits_for_its_last_record(place: House) -> None:
    sent = lines(2 * TURN + 1)

    async def settle_all_but_one() -> int | object:
        sending = asyncio.create_task(send(place, sent))
        while len(place.outlet.taken) < len(sent):
            await asyncio.sleep(0)
        *first, last = place.outlet.waiting
        for settle in first:
            settle(None, None)
        await asyncio.sleep(0)
        assert not sending.done()
        last(None, None)
        return await sending

    assert asyncio.run(settle_all_but_one()) == len(sent)
    assert [taken.value for taken in place.outlet.taken] == sent


def test_store_that_fails_in_the_middle_is_told_of_by_numbers(place: House) -> None:
    place.outlet.falls_after = 1_500

    refusal = asyncio.run(polled(place, send(place, lines(3_000))))

    assert isinstance(refusal, Rejected)
    assert (refusal.reason, refusal.kept, refusal.not_kept) == ("unavailable", 1_500, 1_500)
    assert "1500 of 3000 records are kept" in refusal.text
    assert place.entrance.counters.value("rejected", reason="unavailable") == 1_500


def test_store_that_is_away_is_sent_nothing(place: House) -> None:
    place.outlet.is_away = True

    refusal = asyncio.run(polled(place, send(place, lines(2))))

    assert isinstance(refusal, Rejected)
    assert (refusal.kept, refusal.not_kept, place.outlet.taken) == (0, 2, [])


def test_batch_larger_than_the_room_waits_for_more(place: House) -> None:
    place.outlet.most_waiting = 700

    assert asyncio.run(polled(place, send(place, lines(3_000)))) == 3_000


def test_store_that_does_not_decide_is_told_of_in_time(place: House) -> None:
    place.outlet.is_held = True
    ingest = place.entrance.ingest
    ingest.decided_within_s = 0.05

    async def settle_one_alone() -> object:
        sending = asyncio.create_task(send(place, lines(3)))
        while len(place.outlet.taken) < 3:
            await asyncio.sleep(0)
        place.outlet.waiting.pop(0)(None, None)
        return await sending

    refusal = asyncio.run(settle_one_alone())
    place.outlet.is_held = False
    place.outlet.poll()

    assert isinstance(refusal, Rejected)
    told = refusal.reason, refusal.kept, refusal.not_kept, refusal.retry_after_s
    assert told == ("unavailable", 1, 2, 5.0)
    assert (ingest.account.page.taken, ingest.account.page.acknowledged) == (3, 1)


def test_what_cannot_be_read_is_told_of_in_time_too(place: House) -> None:
    place.outlet.is_held = True
    place.entrance.ingest.decided_within_s = 0.05

    refusal = asyncio.run(send(place, [b"rubbish"]))

    assert isinstance(refusal, Rejected)
    assert (refusal.reason, refusal.is_kept, refusal.retry_after_s) == ("unavailable", False, 5.0)


async def polled(place: House, sending: Awaitable[object]) -> object:
    task = asyncio.ensure_future(sending)
    while not task.done():
        await asyncio.sleep(0)
        place.outlet.poll()
    return await task


async def send(place: House, payloads: list[bytes]) -> object:
    ingest = place.entrance.ingest
    return await ingest_batch(ingest, channel(place), payloads, content_type=JSON, now=NOW_US)
