"""A slow viewer holds up nobody: it gets the newest, is told what it missed, or is let go.

Nor do those who look at one thing after another make the service hold all of them.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, MutableMapping
from pathlib import Path
from typing import Any

from services.query.live.channel import Subject
from services.query.live.follower import MOST_IDLE
from services.query.live.mailbox import MOST_ROWS, Batch, Mailbox
from services.query.live.server_events import EventStream
from tests.services.query_lake import Reading, TestLake
from tests.services.query_parts import TestedQueries


def latest(**rows: float) -> Batch:
    return Batch("latest", {name: json.dumps({name: value}) for name, value in rows.items()})


def test_of_each_series_the_newest_is_kept_and_the_rest_is_counted() -> None:
    mailbox = Mailbox(lambda: None)
    for number in range(100):
        mailbox.put([latest(a=number), latest(b=1.0)], number)
    (batch,), version = mailbox.take()
    assert (json.loads(batch.text), batch.skipped, version) == ([{"a": 99}, {"b": 1.0}], 198, 99)
    assert mailbox.take() == ([], 99)


def test_oldest_windows_go_first() -> None:
    mailbox = Mailbox(lambda: None)
    for first, last in ((0, MOST_ROWS), (MOST_ROWS, MOST_ROWS + 7)):
        mailbox.put([Batch("windows", {number: str(number) for number in range(first, last)})])
    (batch,), _ = mailbox.take()
    rows = json.loads(batch.text)
    assert (rows[0], len(rows), batch.skipped) == (7, MOST_ROWS, 7)


def test_what_is_whole_takes_the_place_of_all_before() -> None:
    mailbox = Mailbox(lambda: None)
    mailbox.put([latest(a=1.0), Batch("latest", {"c": "3"}, is_whole=True), latest(d=4.0)])
    (batch,), _ = mailbox.take()
    assert (list(batch.rows), batch.is_whole) == (["c", "d"], True)


def test_windows_that_are_missing_are_told_though_all_were_read_again_meanwhile() -> None:
    mailbox = Mailbox(lambda: None)
    mailbox.put([Batch("windows", {1: "1"}, is_whole=True, has_gap=True)], 1)
    mailbox.put([Batch("windows", {2: "2"}, is_whole=True)], 2)
    (batch,), _ = mailbox.take()
    assert (list(batch.rows), batch.is_whole, batch.has_gap) == ([2], True, True)
    mailbox.put([Batch("windows", {3: "3"}, is_whole=True)], 3)
    ((batch,), _) = mailbox.take()
    assert not batch.has_gap


async def stalled() -> tuple[list[str], list[str]]:
    """Stream to a reader that takes the head and no more; return what it got, and who was told."""
    got: list[str] = []
    ended: list[str] = []

    async def messages() -> AsyncGenerator[tuple[str, bytes, str], None]:
        for number in range(9):
            yield "beat", str(number).encode(), ""

    async def send(message: MutableMapping[str, Any]) -> None:
        if b"data: 2" in message.get("body", b""):
            await asyncio.sleep(3600)
        got.append(message["type"])

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.sleep(3600)
        return {}

    stream = EventStream(messages(), lambda: ended.append("left"), stalled_s=0.05)
    await stream({}, receive, send)
    return got, ended


def test_reader_that_takes_nothing_is_let_go() -> None:
    got, ended = asyncio.run(stalled())
    assert got == ["http.response.start", *["http.response.body"] * 3]
    assert ended == ["left"]


def test_who_looks_at_one_device_after_another_makes_little_be_held(tmp_path: Path) -> None:
    lake = TestLake(tmp_path / "lake")
    lake.land([Reading(0, 1.0)])
    lake.make_gold(0)
    follower = TestedQueries(tmp_path).service.live.follower
    stays = Mailbox(lambda: None)
    follower.join(_device(-1), stays, None, 60)
    for number in range(2 * MOST_IDLE):
        mailbox = Mailbox(lambda: None)
        follower.join(_device(number), mailbox, None, 60)
        mailbox.is_closed = True
    held = {channel.subject for channel in follower.channels}
    assert len(held) <= MOST_IDLE + 2
    assert {_device(-1), _device(2 * MOST_IDLE - 1), _device(2 * MOST_IDLE - 2)} <= held


def _device(number: int) -> Subject:
    return Subject("default", "device", f"meter.m{number}", "minute")
