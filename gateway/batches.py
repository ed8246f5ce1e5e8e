"""Batches: many records of one device, accepted together or not at all."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.channels import Channel
from gateway.decoding import count, refused
from gateway.ingest import Arrival, Ingest
from gateway.outcome import Rejected

MOST_RECORDS = 20_000
MOST_FAULTS = 100
TURN = 1_000
"""Records that are worked on before others have their turn: some 10 ms."""


@dataclass(slots=True)
class _Settling:
    """Waits until every record of a batch is settled."""

    left: int
    done: "asyncio.Future[object]"
    error: object = None

    def settle(self, error: object, _message: object) -> None:
        """Note one record; the first error decides."""
        self.left -= 1
        if error is not None and self.error is None:
            self.error = error
        if not self.left and not self.done.done():
            self.done.set_result(self.error)


async def ingest_batch(
    ingest: Ingest,
    channel: Channel,
    payloads: Sequence[bytes],
    *,
    content_type: str,
    now: int,
) -> int | Rejected:
    """Publish all records and return how many messages they hold, or say why none was taken.

    Where a record cannot be read, it goes to `telemetry.dead`, and nothing else is published.
    """
    for number, payload in enumerate(payloads):
        if len(payload) > ingest.most_bytes:
            refusal = ingest.too_large(payload)
            return refusal._replace(text=f"record {number + 1}: {refusal.text}")
    messages, unreadable = await _examined(channel, payloads, content_type)
    if unreadable:
        return await _buried(ingest, channel, dict(enumerate(payloads)), unreadable, now)
    empty = ingest.over_limit(channel, now, messages) if channel.buckets else None
    if empty is not None:
        return empty
    error = await _published(ingest, channel, payloads, now)
    return messages if error is None else ingest.unavailable(error)


async def _examined(
    channel: Channel, payloads: Sequence[bytes], content_type: str
) -> tuple[int, dict[int, Rejected]]:
    if not channel.is_telemetry:
        return len(payloads), {}
    messages, unreadable = 0, {}
    for number, payload in enumerate(payloads):
        if number % TURN == TURN - 1:
            await asyncio.sleep(0)
        refusal = refused(payload, content_type, channel.names)
        if refusal is None:
            messages += count(payload, content_type)
        else:
            unreadable[number] = refusal
    return messages, unreadable


async def _published(
    ingest: Ingest, channel: Channel, payloads: Sequence[bytes], now: int
) -> object:
    settling = _Settling(len(payloads), asyncio.get_running_loop().create_future())
    for first in range(0, len(payloads), TURN):
        ingest.publish(channel, payloads[first : first + TURN], now=now, settle=settling.settle)
        await asyncio.sleep(0)
    return await settling.done


async def _buried(
    ingest: Ingest,
    channel: Channel,
    bodies: dict[int, bytes],
    unreadable: dict[int, Rejected],
    now: int,
) -> Rejected:
    """Keep what cannot be read, and return one refusal that names every fault."""
    settling = _Settling(len(unreadable), asyncio.get_running_loop().create_future())
    for number, refusal in unreadable.items():
        answer = ingest.bury(Arrival(channel, bodies[number]), refusal, now, settling.settle)
        if answer is not None:
            settling.settle(answer, None)
    error = await settling.done
    if not isinstance(error, Rejected) or not error.is_kept:
        return ingest.unavailable(error)
    faults = tuple(
        fault._replace(item=number) if len(bodies) > 1 else fault
        for number, refusal in unreadable.items()
        for fault in refusal.faults
    )
    first = next(iter(unreadable.values()))
    return first._replace(faults=faults[:MOST_FAULTS], is_kept=True)
