"""A cache of answers in which one asks and all others wait for what it finds."""

import threading
import time
from typing import Any

from flask_caching.backends import FileSystemCache

LONGEST_WAIT_S = 15.0
"""How long a reader waits for another's answer: one that failed never comes."""


class SingleFlightCache(FileSystemCache):  # type: ignore[misc] # it ships no types
    """Files, and the promise that a key which many miss at once is computed by the first.

    Without it every viewer whose refresh falls into the second that a query takes would ask the
    lake again. Superset is one process of threads, so an event a key is enough.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._lock = threading.Lock()
        self._asked: dict[str, tuple[threading.Event, float]] = {}
        super().__init__(*arguments, **options)

    def get(self, key: str) -> Any:
        """Return the value, after whoever asks for it just now; None makes the caller ask."""
        value = super().get(key)
        if value is not None:
            return value
        waits = self._asks_first(key)
        if waits is None:
            return None
        waits.wait(LONGEST_WAIT_S)
        return super().get(key)

    def set(self, key: str, value: Any, timeout: int | None = None, **options: Any) -> Any:
        """Keep the value, and let those go who wait for it."""
        kept = super().set(key, value, timeout, **options)
        with self._lock:
            asked = self._asked.pop(key, None)
        if asked:
            asked[0].set()
        return kept

    def _asks_first(self, key: str) -> threading.Event | None:
        """Return None to the first who misses the key, and to the others what they wait for."""
        now = time.monotonic()
        with self._lock:
            asked = self._asked.get(key)
            if asked is None or now - asked[1] > LONGEST_WAIT_S:
                self._asked[key] = (threading.Event(), now)
                return None
        return asked[0]
