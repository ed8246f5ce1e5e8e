"""What goes down to devices, whatever protocol they listen by."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

Handle = Callable[["Downlink"], bool]
"""Takes a message for a device and says whether anybody there wants it."""


class Downlink(NamedTuple):
    """A message for one device, on one part of its subtree."""

    tenant: str
    device_full: str
    part: str
    payload: bytes
    qos: int = 1
    expires_at: float | None = None
    """Seconds since 1970."""
    content_type: str | None = None
    correlation: bytes | None = None
    response_topic: str | None = None
    payload_format: int | None = None
    user: tuple[tuple[str, str], ...] = ()
    origin: str | None = None
    """Client id of the session it came from, which may be empty; None: it came from Kafka."""
    retain: bool = False

    @property
    def size(self) -> int:
        """Bytes that it holds: payload, and properties that may be long."""
        told = sum(len(name) + len(value) for name, value in self.user)
        texts = len(self.content_type or "") + len(self.response_topic or "")
        return len(self.payload) + len(self.correlation or b"") + texts + told

    def is_over(self, now: float) -> bool:
        """Say whether it is good for nothing any more at `now`, in seconds since 1970."""
        return self.expires_at is not None and self.expires_at <= now


@dataclass(slots=True)
class Downlinks:
    """Hands each message to every listener that takes any."""

    handles: tuple[Handle, ...] = ()

    def add(self, handle: Handle) -> None:
        """Have a listener get what comes."""
        self.handles = (*self.handles, handle)

    def deliver(self, downlink: Downlink) -> int:
        """Hand a message on; return how many listeners had somebody for it."""
        return sum(handle(downlink) for handle in self.handles)
