"""The outlet of class consumer beside a spool: a device's records stay in their order.

They are never spooled, unless those that the device sent while its class was industrial are in the
spool still, or on their way: then they go behind these.
"""

from gateway.fallback import FallbackOutlet
from gateway.outlet import Headers, Outlet, Settle


class BehindSpool:
    """Sends by an outlet, or by the spool's for as long as that holds records of the key."""

    def __init__(self, outlet: Outlet, spool: FallbackOutlet) -> None:
        self._outlet = outlet
        self._spool = spool

    def send(self, topic: str, key: bytes, value: bytes, headers: Headers, settle: Settle) -> None:
        """Take a record, or raise `OutletError`."""
        self._of(key).send(topic, key, value, headers, settle)

    def _of(self, key: bytes) -> Outlet:
        return self._spool if self._spool.holds(key) else self._outlet

    def room(self, size: int = 0, key: bytes = b"") -> int:
        """Return how many records of a key it takes now; raise `OutletError` if it is away."""
        return self._of(key).room(size, key)

    def poll(self) -> int:
        """Settle what is decided, and return how many records still wait."""
        return self._outlet.poll()

    def close(self, timeout_s: float) -> int:
        """Settle all that can be settled in time, and return how many records could not."""
        return self._outlet.close(timeout_s)
