"""Limits: requests a second of each caller, and how many are worked on at once."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from services.problems import wait

MOST_CALLERS = 10_000
RETRY_S = 1.0


class Limits:
    """One bucket a caller, kept as the time at which it is full again; 0 a second: no limit."""

    def __init__(self, per_s: float, burst: float, *, at_once: int) -> None:
        self._interval_s = 1 / per_s if per_s else 0.0
        self._allowance_s = max(burst, 1.0) * self._interval_s
        self._full_at: OrderedDict[str, float] = OrderedDict()
        self._at_once, self._under_way = at_once, 0
        self._lock = threading.Lock()

    @contextmanager
    def passed(self, who: str, now: float) -> Iterator[None]:
        """Let a request pass, or answer when to come again; `now` in seconds, of any clock."""
        with self._lock:
            self._take(who, now)
            if self._under_way >= self._at_once:
                raise wait(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    f"{self._at_once} requests are under way: limit requests_at_once",
                    RETRY_S,
                )
            self._under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1

    def _take(self, who: str, now: float) -> None:
        if not self._interval_s:
            return
        # What a bucket lacks is filled within the allowance, unless the clock was put back.
        latest = now + self._allowance_s
        begin = max(min(self._full_at.pop(who, now), latest), now)
        over_s = begin + self._interval_s - now - self._allowance_s
        if over_s > 0:
            self._full_at[who] = begin
            raise wait(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"more than {1 / self._interval_s:g} requests a second of this caller:"
                " limit requests_per_second",
                over_s,
            )
        self._full_at[who] = begin + self._interval_s
        if len(self._full_at) > MOST_CALLERS:
            self._full_at.popitem(last=False)
