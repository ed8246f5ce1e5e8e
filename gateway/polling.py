"""Polls outlets while records wait, on the loop's own thread: no lock, no change of threads."""

import asyncio
from collections.abc import Callable, Sequence

from gateway.ingest import Ingest
from gateway.outlet import Outlet

EVERY_S = 0.001
AFTER_ERROR_S = 1.0


class Poller:
    """Settles records every millisecond while there are any, and rests while there are none."""

    def __init__(self, outlets: Sequence[Outlet]) -> None:
        """Call `after` once some may be settled, so that the answers go out together."""
        self._outlets = outlets
        self.after: Callable[[], None] = _nothing
        self._loop = asyncio.get_running_loop()
        self.ingest: Ingest | None = None

    def wake(self) -> None:
        """Begin to poll."""
        self._loop.call_later(EVERY_S, self._poll)

    def _poll(self) -> None:
        try:
            waiting = sum(outlet.poll() for outlet in self._outlets)
            self.after()
        except Exception:
            # The loop tells of it. What waits is polled again: else it would wait for ever.
            self._loop.call_later(AFTER_ERROR_S, self._poll)
            raise
        if waiting:
            self._loop.call_later(EVERY_S, self._poll)
        elif self.ingest is not None:
            self.ingest.is_polled = False


def _nothing() -> None:
    return None
