"""Messages that a client has not heard yet: the newest of them, within bounds."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from gateway.downlink import Downlink

MOST_WAITING = 100
MOST_WAITING_BYTES = 1024 * 1024
"""Beside the newest message, which may be larger."""


class Waiting:
    """A queue that lets the oldest go."""

    def __init__(self, messages: Iterable[Downlink] = ()) -> None:
        self._messages: deque[Downlink] = deque(messages)
        self._bytes = sum(each.size for each in self._messages)

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Downlink]:
        return iter(self._messages)

    def add(self, downlink: Downlink) -> int:
        """Have a message wait behind the others; return how many of those had to go."""
        self._messages.append(downlink)
        self._bytes += downlink.size
        gone = 0
        while len(self) > MOST_WAITING or (len(self) > 1 and self._bytes > MOST_WAITING_BYTES):
            self.first()
            gone += 1
        return gone

    def first(self) -> Downlink:
        """Take the oldest."""
        downlink = self._messages.popleft()
        self._bytes -= downlink.size
        return downlink

    def remove(self, downlink: Downlink) -> None:
        """Take a message out, if it is there, and no other one that says the same."""
        for place, each in enumerate(self._messages):
            if each is downlink:
                del self._messages[place]
                self._bytes -= downlink.size
                return

    def clear(self) -> None:
        """Let go of all."""
        self._messages.clear()
        self._bytes = 0


@dataclass(slots=True, eq=False)
class Mailbox:
    """What came down on a part of a device's subtree, whoever observes it."""

    part: str
    newest: Downlink | None = None
    unheard: Waiting = field(default_factory=Waiting)
    """What no observer has acknowledged: who observes anew is told that first."""

    def wants(self, part: str) -> bool:
        """Say whether a message on a part of the subtree is on this one, or below it."""
        return part == self.part or part.startswith(f"{self.part}/")

    def take(self, downlink: Downlink) -> int:
        """Keep a message until it is heard; return how many others had to go for it."""
        self.newest = downlink
        return self.unheard.add(downlink)
