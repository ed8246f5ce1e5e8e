"""Retained messages: the newest on each of a device's own topics, in memory and within bounds."""

from collections.abc import Iterator

from edge.mqtt.topics import matches_levels
from gateway.counters import Counters
from gateway.downlink import Downlink
from gateway.mqtt.room import OVERHEAD

MOST_OF_DEVICE = 100
MOST_BYTES_OF_DEVICE = 1024 * 1024
MOST_BYTES = 64 * 1024 * 1024
"""Of all devices, each message with its overhead."""
Key = tuple[str, str]
"""Tenant and device."""


class Retained:
    """The messages of all devices; what is let go is counted."""

    def __init__(self, counters: Counters, most_bytes: int = MOST_BYTES) -> None:
        self._counters = counters
        self._most_bytes = most_bytes
        self._of: dict[Key, dict[str, Downlink]] = {}
        self.held = 0

    def keep(self, key: Key, downlink: Downlink) -> None:
        """Keep a message instead of the one before on its topic; an empty one is the end of it."""
        kept = self._of.setdefault(key, {})
        self._let_go(kept, downlink.part)
        if downlink.payload:
            if self.held + _size(downlink) > self._most_bytes:
                # Others' stay: a device that fills all of it must not push them out.
                self._counters.add("retained_dropped")
            else:
                kept[downlink.part] = downlink
                self.held += _size(downlink)
        held = sum(each.size for each in kept.values())
        while len(kept) > MOST_OF_DEVICE or held > MOST_BYTES_OF_DEVICE:
            oldest = next(iter(kept))
            held -= kept[oldest].size
            self._let_go(kept, oldest)
            self._counters.add("retained_dropped")
        if not kept:
            del self._of[key]

    def _let_go(self, kept: dict[str, Downlink], part: str) -> None:
        gone = kept.pop(part, None)
        if gone is not None:
            self.held -= _size(gone)

    def matching(self, key: Key, part: str) -> Iterator[Downlink]:
        """Yield a device's messages that a subscription's part of its subtree asks for."""
        for name, downlink in list(self._of.get(key, {}).items()):
            if matches_levels(part, name):
                yield downlink


def _size(downlink: Downlink) -> int:
    return downlink.size + OVERHEAD
