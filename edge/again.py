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

    async def rest(self, named_s: float | None = None) -> None:
        """Wait: as long as the other side has named and a little longer, if it has."""
        if named_s is None:
            await asyncio.sleep(self.next_s())
        else:
            await asyncio.sleep(named_s + FIRST_S * random.uniform(0.0, 1.0))
