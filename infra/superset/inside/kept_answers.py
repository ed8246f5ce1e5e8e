"""Answers as they went out, for whoever asks the same again while they hold.

Superset takes tens of milliseconds to find that its cache has an answer: it loads the dataset,
parses its SQL, and looks up what the asker may. All of it comes to the same until something is
changed, so that an asker who was let through is let through again for a while, and all askers
share the bytes.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Keys = tuple[str, ...]
"""Keys of Superset's cache for what an answer is made of; they tell rights on rows apart."""


@dataclass(slots=True)
class KeptAnswers:
    """At most `most_bytes` of answers; an asker is looked at anew after `trusted_s` seconds."""

    most_bytes: int = 32 * 2**20
    most_askers: int = 50_000
    trusted_s: float = 60.0
    now: Callable[[], float] = time.time
    changes: int = 0
    """How often all was forgotten: what was begun before is not kept."""
    _trusted: dict[tuple[str, bytes], tuple[Keys, float]] = field(default_factory=dict)
    _answers: dict[tuple[bytes, Keys], tuple[bytes, float]] = field(default_factory=dict)
    _bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, who: str, asked: bytes) -> bytes | None:
        """Return the answer to what an asker has been answered before, if it still holds."""
        now = self.now()
        with self._lock:
            keys, until = self._trusted.get((who, asked), ((), 0.0))
            if until <= now:
                return None
            body, holds_until = self._answers.get((asked, keys), (b"", 0.0))
            return body if holds_until > now else None

    def keep(
        self, who: str, asked: bytes, body: bytes, told: Iterable[Mapping[str, Any]], changes: int
    ) -> None:
        """Keep an answer as long as the cache has all that it was made of.

        `told` is what Superset says of each of its queries; `changes` is what this was when the
        answer was begun. What has just been asked of the lake replaces what was made of it before.
        """
        queries = list(told)
        keys = tuple(str(query.get("cache_key")) for query in queries)
        until = min((_until(query) for query in queries), default=0.0)
        now = self.now()
        with self._lock:
            if changes != self.changes or self.most_bytes < len(body):
                return
            if until <= now:
                self._drop({at for at in self._answers if not set(keys).isdisjoint(at[1])})
                return
            self._make_room(len(body), now)
            self._drop({(asked, keys)})
            self._answers[asked, keys] = (body, until)
            self._bytes += len(body)
            self._trusted[who, asked] = (keys, now + self.trusted_s)

    def forget(self) -> None:
        """Forget everything, and whatever is under way: somebody has changed something."""
        with self._lock:
            self.changes += 1
            self._trusted.clear()
            self._answers.clear()
            self._bytes = 0

    def _make_room(self, size: int, now: float) -> None:
        """Drop what holds no longer, then the oldest."""
        if self._bytes + size > self.most_bytes:
            self._drop({at for at, (_, until) in self._answers.items() if until <= now})
        while self._bytes + size > self.most_bytes:
            self._drop({next(iter(self._answers))})
        if len(self._trusted) >= self.most_askers:
            self._trusted.clear()

    def _drop(self, places: set[tuple[bytes, Keys]]) -> None:
        for at in places & self._answers.keys():
            body, _ = self._answers.pop(at)
            self._bytes -= len(body)


def _until(query: Mapping[str, Any]) -> float:
    """Return until when the cache has what a query found; 0 if it was not taken from there."""
    since, timeout = query.get("cached_dttm"), query.get("cache_timeout")
    if not query.get("is_cached") or not since or not timeout:
        return 0.0
    return datetime.fromisoformat(str(since)).replace(tzinfo=UTC).timestamp() + float(timeout)
