"""What a connection writes to, and the bytes that wait until its turn ends."""

from collections.abc import Callable
from typing import Protocol

MOST_UNSENT = 4 * 1024 * 1024
"""Bytes that wait for a client: one that leaves more unread is closed."""


class Wire(Protocol):
    """The transport below a connection."""

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def close(self) -> None:
        """Close after what was written is sent."""

    def pause(self) -> None:
        """Read no more for now."""

    def resume(self) -> None:
        """Read again."""


class Sink:
    """Collects a connection's bytes; whoever has some is in `dirty` until it is flushed."""

    __slots__ = ("_dirty", "_offered", "_out", "more", "wire")

    def __init__(self, wire: Wire, dirty: "list[Sink]") -> None:
        self.wire: Wire | None = wire
        self._dirty = dirty
        self._out: list[bytes] = []
        self._offered = 0
        self.more: Callable[[], bytes] | None = None
        """Asked at the end of this turn."""

    def write(self, data: bytes) -> None:
        """Send bytes at the end of this turn."""
        out = self._out
        if not out and self.more is None:
            self._dirty.append(self)
        out.append(data)

    @property
    def is_full(self) -> bool:
        """Whether no more should be offered in this turn: one request may ask for gigabytes."""
        return self._offered >= MOST_UNSENT

    def offer(self, data: bytes) -> None:
        """Send bytes that nobody confirms, as long as it is not full."""
        self._offered += len(data)
        self.write(data)

    def later(self, more: Callable[[], bytes]) -> None:
        """Have `more` asked at the end of this turn for bytes to send behind the others."""
        if not self._out and self.more is None:
            self._dirty.append(self)
        self.more = more

    def flush(self) -> None:
        """Send what has come together."""
        if self.more is not None:
            self._ask()
        out, wire = self._out, self.wire
        if out and wire is not None:
            wire.write(out[0] if len(out) == 1 else b"".join(out))
        out.clear()
        self._offered = 0

    def _ask(self) -> None:
        more, self.more = self.more, None
        if more is not None and self.wire is not None and (last := more()):
            self._out.append(last)

    def close(self) -> None:
        """Send the rest, then close."""
        self.flush()
        wire, self.wire = self.wire, None
        if wire is not None:
            wire.close()
