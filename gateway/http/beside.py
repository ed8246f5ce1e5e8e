"""Work on large bodies beside the loop, where everybody's answers would wait for it else."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

AT_ONCE = 256 * 1024
"""Bytes that take the loop a millisecond or two: not worth another thread."""
PACKED_SHARE = 100
"""What is packed counts as so many times as much: most is less, and a bomb more."""
THREADS = 2
"""Each may hold a body as it is unpacked, which nobody has counted yet."""
T = TypeVar("T")


class Beside:
    """Threads that take turns."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(THREADS)

    async def done(self, size: int, work: Callable[[], T]) -> T:
        """Return what work on so many bytes finds, by another thread where they are many."""
        if size <= AT_ONCE:
            return work()
        async with self._turns:
            return await asyncio.to_thread(work)
