"""How much of what goes down waits in memory, over all sessions together."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

MOST_BYTES = 256 * 1024 * 1024
OVERHEAD = 512
"""What a message holds beside its payload and properties."""


class Holder(Protocol):
    """A session, as far as it has messages that were not sent yet."""

    queued_bytes: int

    @property
    def waiting(self) -> int:
        """How many messages those are."""


H = TypeVar("H", bound=Holder)


@dataclass(slots=True)
class Room:
    """The bytes of all sessions' messages, each with its overhead."""

    most: int = MOST_BYTES
    waiting: int = 0
    """Not sent yet: these can be let go."""
    on_way: int = 0
    """Sent, and not confirmed: their packet ids are in use."""

    @property
    def held(self) -> int:
        """All of it."""
        return self.waiting + self.on_way

    def shed(self, size: int, holders: Iterable[H], drop: Callable[[H], None]) -> bool:
        """Make room for `size` more bytes; return whether there is any.

        Whoever has the most waiting loses the older half of it, then the next one: a device that
        fills all of it does so at its own cost. What is freed lasts for a while, since a look at
        all sessions takes long.
        """
        if self.held + size <= self.most:
            return True
        target = self.most * 7 // 8 - self.on_way - size
        if target < 0:
            return False
        known = list(holders)
        while self.waiting > target and any(each.waiting for each in known):
            for holder in sorted(known, key=lambda each: each.queued_bytes, reverse=True):
                for _ in range((holder.waiting + 1) // 2):
                    drop(holder)
                if self.waiting <= target:
                    break
        return True
