"""What every sink is: it takes a message, and says how it went."""

from dataclasses import dataclass
from typing import Protocol

from services.alerts.messages import Content
from services.alerts.outbox import Answer


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message on its way; each try of it has the same key and content."""

    key: str
    content: Content


class Sink(Protocol):
    """A way of sending; it raises nothing that a sink's failure may cause."""

    def send(self, message: Outgoing) -> Answer:
        """Send a message once, within the receiver's timeout."""

    def close(self) -> None:
        """Let go of connections."""
