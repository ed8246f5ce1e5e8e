"""What a spool of before still holds, handed on to Kafka by a gateway that spools no more.

It was acknowledged. So it goes on its way whatever the setting says now, and a device's new records
are refused until those of its own are there: so they stay in their order.
"""

from collections import Counter
from pathlib import Path

from gateway.channels import DECLARED
from gateway.counters import Counters
from gateway.fallback import FallbackOutlet, Leaving
from gateway.outlet import Headers, OutletError, Settle

AGAIN_S = 1.0


class Leftover:
    """Sends to Kafka, and hands on what lies on disk."""

    def __init__(self, kafka: Leaving, folder: Path, counters: Counters) -> None:
        self._kafka = kafka
        self._spool = FallbackOutlet(kafka, folder, counters, most_bytes=0)

    @property
    def spooled(self) -> Counter[bytes]:
        """How many records of each page of the account are on disk."""
        return self._spool.spooled

    def send(self, topic: str, key: bytes, value: bytes, headers: Headers, settle: Settle) -> None:
        """Take a record, or raise `OutletError`."""
        if topic in DECLARED:
            self._check(key)
        self._kafka.send(topic, key, value, headers, settle)

    def _check(self, key: bytes) -> None:
        if self._spool.holds(key):
            why = "what this device sent before is handed on first"
            raise OutletError(why, is_away=True, retry_after_s=AGAIN_S)

    def room(self, size: int = 0, key: bytes = b"") -> int:
        """Return how many records of a key it takes now; raise `OutletError` if it is away."""
        self._check(key)
        return self._kafka.room(size, key)

    def poll(self) -> int:
        """Settle what is decided, and return how many records still wait."""
        return self._kafka.poll()

    async def drain(self) -> None:
        """Hand what is on disk on to Kafka, as soon as it takes records; for ever."""
        await self._spool.drain()

    def close(self, timeout_s: float) -> int:
        """Settle all that can be settled in time, and return how many records could not."""
        return self._spool.close(timeout_s)
