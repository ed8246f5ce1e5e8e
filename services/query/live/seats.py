"""Who watches: at most so many in all, and so many of one caller; counted."""

import threading
from collections import Counter
from http import HTTPStatus

from services.problems import wait

RETRY_S = 5.0


class Seats:
    """Places for viewers, in all and for each caller."""

    def __init__(self, most: int, most_of_one: int) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.refused = 0

    def take(self, who: str) -> None:
        """Take a place, or answer when to come again."""
        with self._lock:
            if self._taken[who] >= self._most_of_one:
                self.refused += 1
                raise wait(
                    HTTPStatus.TOO_MANY_REQUESTS,
                    f"{self._most_of_one} live views of this caller are open:"
                    " limit live_viewers_of_one_caller",
                    RETRY_S,
                )
            if self._taken.total() >= self._most:
                self.refused += 1
                raise wait(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    f"{self._most} live views are open: limit live_viewers",
                    RETRY_S,
                )
            self._taken[who] += 1

    def free(self, who: str) -> None:
        """Give a place back."""
        with self._lock:
            self._taken[who] -= 1
            if not self._taken[who]:
                del self._taken[who]

    @property
    def taken(self) -> int:
        """Return how many watch."""
        with self._lock:
            return self._taken.total()
