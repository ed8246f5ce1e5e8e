"""Answers and notifications that are too large for a datagram, block by block (RFC 7959).

aiocoap cuts answers, and sends notifications whole: libraries on devices throw away what is larger
than a datagram of theirs.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from hashlib import sha256

from aiocoap import Message
from aiocoap.blockwise import Block2Cache, _extract_block_key

MOST_EXPONENT = 6
"""Of the size of a block, 1,024 bytes: whoever asks for none gets that."""


class Blocks(Block2Cache):  # type: ignore[misc]
    """Keeps what was begun, and knows when its last block has been asked for."""

    def __init__(self) -> None:
        super().__init__()
        self._unfetched: dict[Hashable, asyncio.Event] = {}

    def begun(self, request: Message, answer: Message) -> tuple[Message, asyncio.Event | None]:
        """Return what to send of an answer, and an event if it is its first block alone.

        The event is set once the last block was asked for.
        """
        asked = request.opt.block2
        most = min(MOST_EXPONENT, request.remote.maximum_block_size_exp)
        exponent = most if asked is None else min(asked.size_exponent, most)
        if len(answer.payload) <= 1 << (exponent + 4):
            return answer, None
        key = _extract_block_key(request)
        # Who is in the middle of one message must not take another's blocks for the rest of it.
        answer.opt.etag = sha256(answer.payload).digest()[:8]
        self._completes[key] = answer
        fetched = self._unfetched[key] = asyncio.Event()
        return answer._extract_block(0, exponent, 1 << (exponent + 4)), fetched

    def forget(self, request: Message) -> None:
        """Wait no longer for whoever asked for it."""
        self._unfetched.pop(_extract_block_key(request), None)

    async def extract_or_insert(
        self, request: Message, build: Callable[[], Awaitable[Message]]
    ) -> Message:
        """Return the block that is asked for."""
        found = await super().extract_or_insert(request, build)
        block = found.opt.block2
        if block is not None and block.block_number and not block.more:
            fetched = self._unfetched.pop(_extract_block_key(request), None)
            if fetched is not None:
                fetched.set()
        return found
