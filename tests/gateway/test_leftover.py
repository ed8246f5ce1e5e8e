"""A spool that is no longer asked for: what it holds was acknowledged, so it goes on its way."""

import asyncio
import time
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.counters import Counters
from gateway.fallback import FallbackOutlet
from gateway.leftover import Leftover
from gateway.outlet import OutletError
from gateway.outlets import open_outlets
from telemetry.settings import Settings
from tests.gateway.test_fallback import STAMP, Answers, FakeKafka, settled


def spooled(folder: Path, *values: bytes) -> None:
    """Leave records of d1 in a spool, as a gateway does that ends while Kafka is away."""
    kafka, answers = FakeKafka(is_away=True), Answers()
    outlet = FallbackOutlet(kafka, folder, Counters(), most_bytes=1_000_000)
    for value in values:
        outlet.send("telemetry", b"d1", value, STAMP, answers.settle)
    settled(outlet, answers, len(values))
    assert answers.told == [None] * len(values)
    outlet.close(5)


async def handed_on(outlet: Leftover) -> None:
    draining = asyncio.create_task(outlet.drain())
    give_up = time.monotonic() + 15
    while outlet.spooled.total() and time.monotonic() < give_up:
        await asyncio.sleep(0.02)
    draining.cancel()
    with suppress(asyncio.CancelledError):
        await draining


def test_gateway_that_spools_no_more_hands_on_what_it_had_acknowledged(tmp_path: Path) -> None:
    spooled(tmp_path, b"1", b"2")
    kafka, answers = FakeKafka(), Answers()
    outlet = Leftover(kafka, tmp_path, Counters())
    assert outlet.spooled == {b"g1-a-1": 2}

    with pytest.raises(OutletError, match="handed on first") as refused:
        outlet.send("telemetry", b"d1", b"3", STAMP, answers.settle)
    assert refused.value.retry_after_s > 0
    with pytest.raises(OutletError):
        outlet.room(1, b"d1")
    outlet.send("telemetry", b"d2", b"other", STAMP, answers.settle)

    asyncio.run(handed_on(outlet))
    outlet.send("telemetry", b"d1", b"3", STAMP, answers.settle)
    outlet.poll()

    assert answers.told == [None, None]
    assert [taken.value for taken in kafka.taken if taken.key == b"d1"] == [b"1", b"2", b"3"]
    assert not [*tmp_path.glob("segments/*.parquet")]
    assert outlet.close(5) == 0


def test_it_spools_nothing_while_kafka_is_away(tmp_path: Path) -> None:
    spooled(tmp_path, b"1")
    outlet = Leftover(FakeKafka(is_away=True), tmp_path, Counters())

    for key in (b"d1", b"d2"):
        with pytest.raises(OutletError):
            outlet.send("telemetry", key, b"2", STAMP, Answers().settle)

    assert len([*tmp_path.glob("segments/*.parquet")]) == 1
    outlet.close(1)


def test_spool_of_before_is_found_whatever_the_setting_is_now(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, kafka="127.0.0.1:1", gateway_without_kafka="refuse")
    spooled(tmp_path / "spool", b"1")

    outlets = open_outlets(settings, tmp_path, Counters())

    assert isinstance(outlets["industrial"], Leftover)
    for outlet in outlets.values():
        outlet.close(0.1)
