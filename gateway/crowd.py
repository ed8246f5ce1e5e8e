"""Records that wait in large batches, behind those that went out in small ones.

A batch that is sent as soon as it holds a few records answers devices soon. But a partition has
five batches on their way at most, so where a store is slow, or a request brings a thousand
records, large batches take over. They begin once the small ones are decided: a device's records
stay in their order.
"""

from collections import deque
from collections.abc import Callable
from typing import Generic, NamedTuple, Protocol, TypeVar

from gateway.outlet import Headers, OutletError, Settle

MOST_HELD_BYTES = 32 * 1024 * 1024
SLOW_RETRY_S = 1.0


class Client(Protocol):
    """What is asked of the Kafka client's producer."""

    def poll(self, timeout: float) -> int:
        """Call back for what is decided."""

    def purge(self, in_queue: bool = True, in_flight: bool = True, blocking: bool = True) -> None:
        """Give up what is queued."""

    def flush(self, timeout: float) -> int:
        """Wait for what is on its way, and return how many records still wait."""

    def __len__(self) -> int:
        """Return how many records wait."""


class Record(NamedTuple):
    """A record, and whom to tell of it."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers
    settle: Settle

    @property
    def size(self) -> int:
        """Bytes of what a device sent."""
        return len(self.value) + len(self.key)


C = TypeVar("C", bound=Client)


class Crowd(Generic[C]):
    """What came while too many records waited in small batches."""

    def __init__(self, make: Callable[[], C], produce: Callable[[C, Record], None]) -> None:
        """Make the client of large batches once it is needed."""
        self._make = make
        self._produce = produce
        self._client: C | None = None
        self._held: deque[Record] = deque()
        self._held_bytes = 0
        self.is_there = False
        """Whether records go this way now."""

    def __len__(self) -> int:
        return len(self._held) + (len(self._client) if self._client is not None else 0)

    def send(self, record: Record, ahead: int) -> None:
        """Take a record behind `ahead` others that wait in small batches."""
        self.is_there = True
        if not ahead and not self._held:
            self._produce(self._opened(), record)
            return
        if self._held_bytes >= MOST_HELD_BYTES:
            raise OutletError("Kafka is slow", is_away=False, retry_after_s=SLOW_RETRY_S)
        self._held.append(record)
        self._held_bytes += record.size

    def _opened(self) -> C:
        if self._client is None:
            self._client = self._make()
        return self._client

    def poll(self, ahead: int) -> int:
        """Go on once nothing is ahead; return how many records still wait."""
        if not ahead:
            self._release()
        if self._client is not None:
            self._client.poll(0)
        if not len(self) and not ahead:
            self.is_there = False
        return len(self)

    def _release(self) -> None:
        while self._held:
            record = self._held.popleft()
            self._held_bytes -= record.size
            try:
                self._produce(self._opened(), record)
            except OutletError as error:
                record.settle(error, None)

    def give_up(self, error: OutletError) -> None:
        """Settle with an error what has not begun its way."""
        held, self._held, self._held_bytes = self._held, deque(), 0
        for each in held:
            each.settle(error, None)

    def purge(self) -> None:
        """Give up what is queued and not on its way."""
        if self._client is not None:
            self._client.purge(in_queue=True, in_flight=False, blocking=False)
            self._client.poll(0)

    def close(self, timeout_s: float) -> int:
        """Settle all that can be settled in time, and return how many records could not."""
        self._release()
        return closed(self._client, timeout_s) if self._client is not None else 0


def closed(client: Client, timeout_s: float) -> int:
    """Settle what a client has, as far as there is time; return how many records it could not."""
    left = client.flush(timeout_s)
    if left:
        client.purge()
        client.flush(1.0)
    return int(left)
