"""Answers as they went out, for whoever asks the same again while they hold.

Superset takes tens of milliseconds to find that its cache has an answer: it loads the dataset,
parses its SQL, and looks up what the asker may. All of it comes to the same until something is
changed, so that an asker who was let through is let through again for a while, and all askers
share the bytes. When an answer has run out, one who asks has it made anew, and the others are shown
what was until that is done (`stale-while-revalidate` of RFC 5861): a hundred who wait for one
query would keep all threads from what is there.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Keys = tuple[str, ...]
"""Keys of Superset's cache for what an answer is made of; they tell rights on rows apart."""
Place = tuple[bytes, Keys]
"""What was asked, and what the answer is made of."""
RENEWAL_S = 15.0
"""After so long another tries: who makes an answer anew may have failed."""


@dataclass(slots=True)
class KeptAnswers:
    """At most `most_bytes` of answers; an asker is looked at anew after `trusted_s` seconds."""

    most_bytes: int = 32 * 2**20
    most_askers: int = 50_000
    trusted_s: float = 60.0
    stale_s: float = 30.0
    """How long an answer that has run out is shown at most, while it is made anew."""
    now: Callable[[], float] = time.time
    changes: int = 0
    """How often all was forgotten: what was begun before is not kept."""
    _trusted: dict[tuple[str, bytes], tuple[Keys, float]] = field(default_factory=dict)
    _answers: dict[Place, tuple[bytes, float]] = field(default_factory=dict)
    _renewing: dict[Place, float] = field(default_factory=dict)
    """Since when somebody makes an answer anew."""
    _bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, who: str, asked: bytes) -> bytes | None:
        """Return the answer to what an asker has been answered before, if it still holds.

        None lets the asker through to Superset: where there is no answer, and to renew one.
        """
        now = self.now()
        with self._lock:
            keys, until = self._trusted.get((who, asked), ((), 0.0))
            if until <= now:
                return None
            body, holds_until = self._answers.get((asked, keys), (b"", 0.0))
            shown = holds_until > now or self._is_renewed((asked, keys), holds_until, now)
            return body if shown else None

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
            self._renewing.pop((asked, keys), None)
            if until <= now:
                alike = {at for at in self._answers if not set(keys).isdisjoint(at[1])}
                self._drop(alike - {(asked, keys)})
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
            self._renewing.clear()
            self._bytes = 0

    def _is_renewed(self, at: Place, holds_until: float, now: float) -> bool:
        """Return whether another makes anew what has just run out; if not, the asker does."""
        if holds_until + self.stale_s <= now:
            return False
        if self._renewing.get(at, 0.0) + RENEWAL_S > now:
            return True
        self._renewing[at] = now
        return False

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
            self._renewing.pop(at, None)
            self._bytes -= len(body)


def _until(query: Mapping[str, Any]) -> float:
    """Return until when the cache has what a query found; 0 if it was not taken from there."""
    since, timeout = query.get("cached_dttm"), query.get("cache_timeout")
    if not query.get("is_cached") or not since or not timeout:
        return 0.0
    return datetime.fromisoformat(str(since)).replace(tzinfo=UTC).timestamp() + float(timeout)
