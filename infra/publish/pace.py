"""A pace of so many messages a second."""

import time
from collections.abc import Callable


class Pace:
    """Holds a sender back so that it never runs ahead of its rate; None is as fast as it goes."""

    def __init__(
        self,
        rate: float | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._due: float | None = None

    def group(self, most: int) -> int:
        """Return how many messages to send at a time: about a tenth of a second of them."""
        return most if self._rate is None else max(1, min(most, int(self._rate / 10)))

    def wait(self, count: int) -> None:
        """Wait until `count` messages more may go."""
        if self._rate is None:
            return
        now = self._clock()
        due = now if self._due is None else max(self._due, now - 1.0)
        if due > now:
            self._sleep(due - now)
        self._due = due + count / self._rate
