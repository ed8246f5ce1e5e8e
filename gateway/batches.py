"""Batches: many records of one device, answered as one: all durable, or how many are."""

import asyncio
from collections.abc import Sequence

from gateway.account import OpenPage
from gateway.channels import Channel
from gateway.decoding import counted
from gateway.ingest import Arrival, Ingest
from gateway.outcome import Rejected
from gateway.outlet import OutletError

MOST_RECORDS = 20_000
MOST_FAULTS = 100
TURN = 1_000
"""Records that are worked on before others have their turn: some 10 ms."""
TURN_BYTES = 256 * 1024
"""As much in bytes: a record may be a list of thousands."""
PATIENCE_S = 10.0
"""How long a batch that has begun waits for room."""
MOST_KEPT = 1024 * 1024
"""Of a body that cannot be unpacked; a record of Kafka takes no more than twice that."""
LOOK_S = 0.005
UNDECIDED_RETRY_S = 5.0


class _Settling:
    """Counts what becomes of the records of a batch; the first error decides."""

    def __init__(self) -> None:
        self.kept = 0
        self.failed = 0
        self.error: object = None
        self._sent = 0
        self._done: asyncio.Future[None] | None = None

    def settle(self, error: object, _message: object) -> None:
        """Note one record."""
        if error is None:
            self.kept += 1
        else:
            self.failed += 1
            self.error = self.error or error
        if self._done is not None and not self._done.done() and self.waiting(self._sent) <= 0:
            self._done.set_result(None)

    def waiting(self, sent: int) -> int:
        """Return how many of those sent are not settled."""
        return sent - self.kept - self.failed

    async def all(self, sent: int, give_up: float) -> None:
        """Wait until all that were sent are settled; at `give_up`, by the loop's clock, no longer.

        What is not settled then may become durable still. Whoever sent it is told in time.
        """
        if self.waiting(sent) <= 0:
            return
        self._sent, self._done = sent, asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout_at(give_up):
                await self._done
        except TimeoutError:
            undecided = OutletError("undecided", is_away=True, retry_after_s=UNDECIDED_RETRY_S)
            self.error = self.error or undecided


async def ingest_batch(
    ingest: Ingest,
    channel: Channel,
    payloads: Sequence[bytes],
    *,
    content_type: str,
    now: int,
) -> int | Rejected:
    """Publish all records and return how many messages they hold, or say why not.

    All that can be known is known before the first is sent. Where a record cannot be read, it goes
    to `telemetry.dead`, and nothing else is published. Only where the store fails in the middle are
    some records kept and others not: the refusal says how many.
    """
    for number, payload in enumerate(payloads):
        if len(payload) > ingest.most_bytes:
            refusal = ingest.too_large(len(payload))
            return refusal._replace(text=f"record {number + 1}: {refusal.text}")
    messages, unreadable = await _examined(channel, payloads, content_type)
    if unreadable:
        empty = ingest.over_limit(channel, now, len(unreadable))
        if empty is not None:
            return empty
        return await _buried(ingest, channel, dict(enumerate(payloads)), unreadable, now)
    try:
        ingest.room(channel, sum(map(len, payloads)))
    except OutletError as error:
        return _not_kept(ingest, error, 0, len(payloads))
    empty = ingest.over_limit(channel, now, messages)
    if empty is not None:
        return empty
    page = ingest.account.page
    settling = await _published(ingest, channel, payloads, now, page)
    ingest.accepted(channel, settling.kept, page)
    if settling.error is None:
        return messages
    return _not_kept(ingest, settling.error, settling.kept, len(payloads))


def _not_kept(ingest: Ingest, error: object, kept: int, records: int) -> Rejected:
    """Return the refusal of a batch that the store did not take, or took so many records of."""
    refusal = ingest.unavailable(error, records - kept)._replace(not_kept=records - kept)
    if not kept:
        return refusal
    text = (
        f"the store failed in the middle: {kept} of {records} records are kept; send all of them"
        " again: one with seq or ts counts once, however often it comes"
    )
    return refusal._replace(text=text, kept=kept)


async def ingest_unread(
    ingest: Ingest, channel: Channel, body: bytes, refusal: Rejected, *, now: int
) -> Rejected:
    """Keep a body that could not even be cut into records, the beginning of a very large one."""
    if len(body) > MOST_KEPT:
        refusal = refusal._replace(text=f"{refusal.text}; the first {MOST_KEPT:,} bytes are kept")
    empty = ingest.over_limit(channel, now, 1)
    if empty is not None:
        return empty
    return await _buried(ingest, channel, {0: body[:MOST_KEPT]}, {0: refusal}, now)


async def _examined(
    channel: Channel, payloads: Sequence[bytes], content_type: str
) -> tuple[int, dict[int, Rejected]]:
    if not channel.is_telemetry:
        return len(payloads), {}
    messages, unreadable, worked_on = 0, {}, 0
    for number, payload in enumerate(payloads):
        worked_on += len(payload)
        if number % TURN == TURN - 1 or worked_on >= TURN_BYTES:
            worked_on = 0
            await asyncio.sleep(0)
        found = counted(payload, content_type, channel.names)
        if isinstance(found, Rejected):
            unreadable[number] = found
        else:
            messages += found
    return messages, unreadable


async def _published(
    ingest: Ingest, channel: Channel, payloads: Sequence[bytes], now: int, page: OpenPage
) -> _Settling:
    """Send records as there is room for them, until one fails; return what became of them."""
    settling, sent, loop = _Settling(), 0, asyncio.get_running_loop()
    begun = loop.time()
    give_up = begun + PATIENCE_S
    while sent < len(payloads) and settling.error is None:
        try:
            count = min(ingest.room(channel), TURN)
        except OutletError as error:
            count = 0
            if not settling.waiting(sent):
                settling.error = error
        if count > 0:
            turn = payloads[sent : sent + count]
            ingest.publish(channel, turn, page, now=now, settle=settling.settle)
            sent += len(turn)
            await asyncio.sleep(0)
        elif loop.time() < give_up:
            await asyncio.sleep(LOOK_S)
        else:
            settling.error = OutletError("slow", is_away=False, retry_after_s=1.0)
    await settling.all(sent, begun + ingest.decided_within_s)
    return settling


async def _buried(
    ingest: Ingest,
    channel: Channel,
    bodies: dict[int, bytes],
    unreadable: dict[int, Rejected],
    now: int,
) -> Rejected:
    """Keep what cannot be read, and return one refusal that names every fault."""
    settling, begun = _Settling(), asyncio.get_running_loop().time()

    def settle(error: object, message: object) -> None:
        is_kept = isinstance(error, Rejected) and error.is_kept
        settling.settle(None if is_kept else error, message)

    for number, refusal in unreadable.items():
        answer = ingest.bury(Arrival(channel, bodies[number]), refusal, now, settle)
        if answer is not None:
            settle(answer, None)
    await settling.all(len(unreadable), begun + ingest.decided_within_s)
    if settling.error is not None:
        return ingest.unavailable(settling.error)
    faults = tuple(
        fault._replace(item=number) if len(bodies) > 1 else fault
        for number, refusal in unreadable.items()
        for fault in refusal.faults
    )
    first = next(iter(unreadable.values()))
    return first._replace(faults=faults[:MOST_FAULTS], is_kept=True)
