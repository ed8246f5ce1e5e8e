"""One viewer's messages, from all that there is to the end of its key, its service or itself."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import anyio.to_thread
import orjson

from services.query.live.channel import Subject
from services.query.live.cursors import Cursor, cursor_text, read_cursor
from services.query.live.mailbox import Batch, Mailbox
from services.query.live.serving import Live
from services.query.served import Access
from services.query.times import micros, time_text

Message = tuple[str, bytes, str]
"""A kind, a JSON object, and the cursor to go on from; '' where that is the one before."""
LOOK_S, BEAT_S = 1.0, 5.0
STALLED_S = 60.0
"""One who takes nothing for so long is let go."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who watches what."""

    live: Live
    access: Access
    subject: Subject
    caller: str
    """Id of the caller's key."""
    is_let_in: Callable[[], bool]
    """Says whether the caller's key still holds."""
    cursor: str = ""
    history: int = 60
    follows: bool = True

    def leave(self) -> None:
        """Give the seat back that was taken for it."""
        self.live.seats.free(self.caller)


async def messages(viewer: Viewer) -> AsyncGenerator[Message, None]:
    """Yield kinds, JSON objects and cursors; who calls it has taken a seat and gives it back."""
    loop, woken = asyncio.get_running_loop(), asyncio.Event()
    mailbox = Mailbox(partial(_wake, loop, woken))
    follower = viewer.live.follower
    try:
        cursor = read_cursor(viewer.cursor, viewer.subject) if viewer.cursor else None
        await anyio.to_thread.run_sync(
            follower.join, viewer.subject, mailbox, cursor, viewer.history
        )
        async for message in _told(viewer, mailbox, woken, cursor):
            viewer.live.counts["messages"] += 1
            yield message
    finally:
        mailbox.is_closed = True


def _wake(loop: asyncio.AbstractEventLoop, woken: asyncio.Event) -> None:
    with suppress(RuntimeError):  # the loop may have ended
        loop.call_soon_threadsafe(woken.set)


async def _told(
    viewer: Viewer, mailbox: Mailbox, woken: asyncio.Event, cursor: Cursor | None
) -> AsyncGenerator[Message, None]:
    loop, end_us = asyncio.get_running_loop(), cursor.end_us if cursor else 0
    beat_at, text = 0.0, viewer.cursor
    while True:
        # Before what waits is taken: what is final by then is in it, or was sent.
        until = viewer.live.follower.complete_until(viewer.subject)
        batches, version = mailbox.take()
        end_us = max([end_us, *(_newest_us(batch) for batch in batches)])
        text = cursor_text(Cursor(version, end_us), viewer.subject)
        for batch in batches:
            viewer.live.counts["skipped"] += batch.skipped
            # Only what comes after the last of them goes on where they end.
            at = text if batch is batches[-1] else ""
            yield batch.kind, _encoded(batch, at), at
        if loop.time() >= beat_at:
            beat_at = loop.time() + BEAT_S
            yield "beat", _beat(viewer, until, text), text
        if reason := _end(viewer):
            yield "end", orjson.dumps({"type": "end", "reason": reason, "cursor": text}), text
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(woken.wait(), LOOK_S)
        woken.clear()


def _newest_us(batch: Batch) -> int:
    if batch.kind != "windows":
        return 0
    return max((int(name[1]) for name in batch.rows if isinstance(name, tuple)), default=0)


def _encoded(batch: Batch, cursor: str) -> bytes:
    said: dict[str, object] = {
        "type": batch.kind,
        "whole": batch.is_whole,
        "skipped": batch.skipped,
    }
    said |= {"gap": batch.has_gap} if batch.kind == "windows" else {}
    said |= {"cursor": cursor} if cursor else {}
    return b"".join([orjson.dumps(said)[:-1], b',"rows":', batch.text.encode(), b"}"])


def _beat(viewer: Viewer, complete_until: str | None, cursor: str) -> bytes:
    now = time_text(micros(viewer.access.service.now()))
    said = {"type": "beat", "now": now, "complete_until": complete_until, "cursor": cursor}
    return orjson.dumps(said)


def _end(viewer: Viewer) -> str | None:
    if not viewer.follows:
        return "all that there is was sent: follow=false"
    if viewer.live.is_over():
        return "the service ends: come again"
    return None if viewer.is_let_in() else "the key holds no more"
