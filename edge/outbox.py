"""Outboxes: where a record is handed over so that an acknowledgement means that it is durable."""

from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Protocol, Self

from telemetry.errors import HeadwaterError
from telemetry.records import Headers

OnAck = Callable[[int], None]
"""Called with the time of the acknowledgement in epoch microseconds, on the sender's own thread."""


class OutboxError(HeadwaterError):
    """Records could not be made durable; those without an acknowledgement may be lost."""


class OutRecord(NamedTuple):
    """One record: the device's full name, the payload's bytes, and the headers of `records`."""

    key: bytes
    value: bytes
    headers: Headers


class Outbox(Protocol):
    """Takes records in order and acknowledges each one once it is durable.

    Acknowledgements are served inside `send`, `poll` and `flush`, so they need no lock. Once an
    outbox has failed, every call raises `OutboxError`: open another one to go on.
    """

    def send(self, record: OutRecord, on_ack: OnAck | None = None) -> None:
        """Take a record; block while too many wait for their acknowledgement."""

    def poll(self, timeout_s: float = 0.0) -> int:
        """Serve acknowledgements that are there, and return how many records still wait."""

    def flush(self, timeout_s: float) -> int:
        """Push everything out and return how many records are still not acknowledged."""

    def close(self) -> None:
        """Flush and let go of what the outbox holds."""

    def __enter__(self) -> Self:
        """Return the outbox."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the outbox."""
