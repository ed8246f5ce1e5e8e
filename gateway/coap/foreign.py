"""What a rule makes of a payload, answered once that is durable."""

import asyncio

from gateway.entrance import Entrance, Foreign
from gateway.outcome import Rejected
from gateway.outlet import OutletError

UNDECIDED = OutletError("undecided", is_away=True, retry_after_s=5.0)


async def ingest_foreign(entrance: Entrance, said: Foreign, *, now: int) -> Rejected | None:
    """Publish what a rule makes of a payload; return why not, or None once it is durable."""
    ingest = entrance.ingest
    page, told = ingest.account.page, asyncio.get_running_loop().create_future()

    def settle(error: object, _message: object) -> None:
        if not told.done():
            told.set_result(error)

    refusal = entrance.foreign(said, now=now, settle=settle)
    if refusal is not None:
        return refusal
    try:
        async with asyncio.timeout(ingest.decided_within_s):
            error = await told
    except TimeoutError:
        error = UNDECIDED
    if error is not None:
        return ingest.unavailable(error)
    page.acknowledged += 1
    entrance.counters.tally("accepted", protocol=said.protocol).count += 1
    return None
