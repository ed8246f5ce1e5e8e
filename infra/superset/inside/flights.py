"""Who asks for a key just now, and who waits for what they find."""

import threading
import time
from collections.abc import Callable, Hashable
from typing import NamedTuple, TypeVar

Found = TypeVar("Found")


class _Flight(NamedTuple):
    landed: threading.Event
    began_s: float


class Flights:
    """At most one flight a key, and not for longer than `longest_s`; safe for several threads."""

    def __init__(self, longest_s: float, now: Callable[[], float] = time.monotonic) -> None:
        self._longest_s, self._now = longest_s, now
        self._under_way: dict[str, _Flight] = {}
        self._of: dict[Hashable, dict[str, _Flight]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return how many keys and askers are remembered."""
        return len(self._under_way) + len(self._of)

    def begun(self, key: str, who: Hashable) -> threading.Event | None:
        """Return None to the first who asks for a key, and to the others what they wait for."""
        now = self._now()
        with self._lock:
            flight = self._under_way.get(key)
            if flight is not None and now - flight.began_s <= self._longest_s:
                is_own = self._of.get(who, {}).get(key) is flight
                return None if is_own else flight.landed
            flight = _Flight(threading.Event(), now)
            self._under_way[key] = flight
            self._of.setdefault(who, {})[key] = flight
        return None

    def wait(self, key: str, who: Hashable, look: Callable[[], Found | None]) -> Found | None:
        """Return what is there of a key, after whoever asks for it; None makes the caller ask.

        Where an asker found nothing, one of those who waited asks, and the others wait for that
        one: all at once would ask the more of a lake the slower it answers.
        """
        until = self._now() + self._longest_s
        while (landed := self.begun(key, who)) is not None:
            landed.wait(max(0.0, until - self._now()))
            if (found := look()) is not None or self._now() >= until:
                return found
        return None

    def landed(self, key: str) -> None:
        """Let those go who wait for a key."""
        with self._lock:
            flight = self._under_way.pop(key, None)
        if flight is not None:
            flight.landed.set()

    def given_up(self, who: Hashable) -> None:
        """End what one began, whether it landed or failed: who still waits for it goes on."""
        with self._lock:
            mine = self._of.pop(who, {})
            for key, flight in mine.items():
                if self._under_way.get(key) is flight:
                    del self._under_way[key]
        for flight in mine.values():
            flight.landed.set()
