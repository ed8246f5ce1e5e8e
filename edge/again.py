"""Waits before another attempt: twice as long each time, and never the same for two devices."""

import asyncio
import random

FIRST_S = 0.5
MOST_S = 8.0
LEAST_SHARE = 0.2


class Again:
    """One device's next wait; drawn from a range, so that thousands do not come back at once."""

    __slots__ = ("_longest_s",)

    def __init__(self) -> None:
        self._longest_s = FIRST_S

    def next_s(self) -> float:
        """Return how long to wait now, in seconds, and double the range of the next wait."""
        wait_s = self._longest_s * random.uniform(LEAST_SHARE, 1.0)
        self._longest_s = min(self._longest_s * 2, MOST_S)
        return wait_s

    def reset(self) -> None:
        """Begin anew: an attempt went well."""
        self._longest_s = FIRST_S

    async def rest(self, at_most_s: float = MOST_S) -> None:
        """Wait."""
        await asyncio.sleep(min(self.next_s(), at_most_s))
