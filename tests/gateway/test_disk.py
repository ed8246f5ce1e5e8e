"""A disk that takes nothing: what waits is refused, and the disk is used again once it can be."""

import asyncio
import os
import resource
import signal
import time
from pathlib import Path

import pytest

from edge.outbox import OutRecord
from gateway.counters import Counters
from gateway.disk import MOST_HELD, Disk
from gateway.fallback import FallbackOutlet
from gateway.ingest import Arrival, Ingest
from gateway.outcome import Rejected
from gateway.outlet import OutletError
from gateway.polling import Poller
from gateway.spooling import SpoolOutlet
from tests.gateway.entrances import NOW_US, house
from tests.gateway.outlets import MemoryOutlet
from tests.gateway.test_batches import channel
from tests.gateway.test_fallback import Answers, FakeKafka, send, settled


def broken(folder: Path) -> Path:
    """Have segments written to no folder, as on a disk that takes nothing."""
    place = folder / "tmp"
    place.rmdir()
    place.write_bytes(b"")
    return place


def test_disk_that_takes_nothing_refuses_and_is_used_again(tmp_path: Path) -> None:
    kafka, answers, counters = FakeKafka(is_away=True), Answers(), Counters()
    outlet = FallbackOutlet(kafka, tmp_path, counters, most_bytes=1_000_000, again_s=0.02)
    place = broken(tmp_path)
    send(outlet, answers, b"1", b"2")
    settled(outlet, answers, 2)
    assert [type(told) for told in answers.told] == [OutletError, OutletError]

    with pytest.raises(OutletError) as refused:
        send(outlet, answers, b"3")
    assert refused.value.is_away
    assert outlet.poll() == 0
    assert counters.value("spool_failures") >= 1

    place.unlink()
    time.sleep(0.05)
    send(outlet, answers, b"4")
    settled(outlet, answers, 3)
    assert answers.told[2] is None
    assert outlet.close(5) == 0


def test_light_stack_uses_its_disk_again(tmp_path: Path) -> None:
    now = 0.0
    outlet, answers = SpoolOutlet(tmp_path, Counters(), clock=lambda: now), Answers()

    def sent(value: bytes) -> None:
        outlet.send("telemetry", b"d1", value, {}, answers.settle)
        give_up = time.monotonic() + 10
        while outlet.poll() and time.monotonic() < give_up:
            time.sleep(0.005)

    place = broken(tmp_path)
    sent(b"1")
    place.unlink()
    with pytest.raises(OutletError):
        sent(b"2")
    now = 10.0
    sent(b"3")

    assert isinstance(answers.told[0], OutletError)
    assert answers.told[1:] == [None]
    assert outlet.close(5) == 0


def test_what_waits_for_a_slow_disk_has_a_bound_in_bytes(tmp_path: Path) -> None:
    disk, answers = Disk(tmp_path, Counters()), Answers()
    large = OutRecord(b"d1", bytes(4 * 1024 * 1024), [])
    taken = 2 * MOST_HELD // len(large.value)
    for _ in range(taken):
        disk.send(large, answers.settle)

    with pytest.raises(OutletError, match="slow") as refused:
        disk.send(large, answers.settle)
    assert refused.value.retry_after_s > 0
    assert disk.room() == 0

    give_up = time.monotonic() + 30
    while disk.poll() and time.monotonic() < give_up:
        time.sleep(0.01)
    assert answers.told == [None] * taken
    assert disk.room() > 0
    assert disk.close(5) == 0


@pytest.mark.faults
def test_full_disk_under_a_gateway_is_refused_and_recovered_from(tmp_path: Path) -> None:
    kafka, counters = FakeKafka(is_away=True), Counters()

    async def play() -> list[object]:
        fallback = FallbackOutlet(kafka, tmp_path, counters, most_bytes=10**9, again_s=0.05)
        ingest = polled(fallback, counters)
        before = await told(ingest)
        limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limit[1]))
        try:
            full = await told(ingest)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
            signal.signal(signal.SIGXFSZ, ignored)
        await asyncio.sleep(0.1)
        after = await told(ingest)
        fallback.close(5)
        return [before, full, after]

    before, full, after = asyncio.run(play())
    assert (before, after) == (None, None)
    assert isinstance(full, OutletError | Rejected)


async def told(ingest: Ingest) -> object:
    """Return what became of one message of random bytes, which nothing makes smaller."""
    done: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    payload = b'{"metrics":{"a":"%s"}}' % os.urandom(20_000).hex().encode()
    arrival = Arrival(channel(house(is_anonymous=True)), payload)
    refusal = ingest.ingest(arrival, now=NOW_US, settle=lambda error, _: done.set_result(error))
    return refusal or await asyncio.wait_for(done, 10)


def polled(outlet: FallbackOutlet | MemoryOutlet, counters: Counters) -> Ingest:
    ingest = Ingest({"industrial": outlet, "consumer": outlet}, counters)
    poller = Poller([outlet])
    ingest.polled_by(poller.wake)
    poller.ingest = ingest
    return ingest


class Stumbling(MemoryOutlet):
    """An outlet whose first poll raises."""

    stumbles = 1

    def poll(self) -> int:
        if self.stumbles:
            self.stumbles -= 1
            raise RuntimeError("a bug")
        return super().poll()


def test_outlet_that_raises_is_polled_again() -> None:
    raised: list[object] = []

    async def play() -> object:
        asyncio.get_running_loop().set_exception_handler(
            lambda _loop, context: raised.append(context["exception"])
        )
        return await told(polled(Stumbling(), Counters()))

    assert asyncio.run(play()) is None
    assert [str(each) for each in raised] == ["a bug"]
