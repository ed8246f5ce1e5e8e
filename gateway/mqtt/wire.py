"""What a connection writes to, and the bytes that wait until its turn ends."""

from typing import Protocol


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

    __slots__ = ("_dirty", "_out", "wire")

    def __init__(self, wire: Wire, dirty: "list[Sink]") -> None:
        self.wire: Wire | None = wire
        self._dirty = dirty
        self._out: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Send bytes at the end of this turn."""
        out = self._out
        if not out:
            self._dirty.append(self)
        out.append(data)

    def flush(self) -> None:
        """Send what has come together."""
        out, wire = self._out, self.wire
        if out and wire is not None:
            wire.write(out[0] if len(out) == 1 else b"".join(out))
        out.clear()

    def close(self) -> None:
        """Send the rest, then close."""
        self.flush()
        wire, self.wire = self.wire, None
        if wire is not None:
            wire.close()
