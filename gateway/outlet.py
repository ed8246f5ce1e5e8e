"""Outlets: where records are made durable; each is settled exactly once, on the loop's thread."""

from collections.abc import Callable
from typing import Protocol

from confluent_kafka import KafkaError

Settle = Callable[[object, object], None]
"""Called with None as its first argument once the record is durable, else with what kept it from
that; the second argument is the client library's."""
Headers = dict[str, str | bytes | None]
"""As the Kafka client types them, which reads a dict sooner than a list; all of ours are bytes."""


_LACKING = (KafkaError._UNKNOWN_TOPIC, KafkaError.UNKNOWN_TOPIC_OR_PART)


def lacks_topic(error: object) -> bool:
    """Say whether a record is not durable since Kafka has not its topic: all others may be."""
    return isinstance(error, KafkaError) and error.code() in _LACKING


class OutletError(Exception):
    """A record cannot even be taken now."""

    def __init__(self, reason: str, *, is_away: bool, retry_after_s: float) -> None:
        super().__init__(reason)
        self.is_away = is_away
        self.retry_after_s = retry_after_s


class Outlet(Protocol):
    """Takes records of any topic, and settles them in the order of each key."""

    def send(self, topic: str, key: bytes, value: bytes, headers: Headers, settle: Settle) -> None:
        """Take a record, or raise `OutletError`."""

    def room(self, size: int = 0, key: bytes = b"") -> int:
        """Return how many records of `size` bytes and a key it takes now; raise if it is away."""

    def poll(self) -> int:
        """Settle what is decided, and return how many records still wait."""

    def close(self, timeout_s: float) -> int:
        """Settle all that can be settled in time, and return how many records could not."""
