"""The light path's spool as an outlet."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

from edge.outbox import OutRecord
from gateway.counters import Counters
from gateway.disk import Disk
from gateway.outlet import Headers, OutletError, Settle
from telemetry.topics import TELEMETRY, TELEMETRY_DEAD

_Bytes = list[tuple[str, bytes]]
LANDED = (TELEMETRY.name, TELEMETRY_DEAD.name)
"""What cannot be read has no topic of its own here: landing keeps it in `silver.rejected`."""


class SpoolOutlet:
    """Writes telemetry to the spool that the streams read; other topics have no place there."""

    def __init__(
        self, spool_dir: Path, counters: Counters, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._disk = Disk(spool_dir, counters, clock=clock)

    def send(self, topic: str, key: bytes, value: bytes, headers: Headers, settle: Settle) -> None:
        """Take a record, or raise `OutletError`."""
        if topic not in LANDED:
            raise OutletError(
                "the light stack keeps telemetry only", is_away=True, retry_after_s=60
            )
        self._disk.send(OutRecord(key, value, cast(_Bytes, list(headers.items()))), settle)

    def room(self, size: int = 0, key: bytes = b"") -> int:
        """Return how many records it takes now; raise `OutletError` while the disk takes none."""
        return self._disk.room()

    def poll(self) -> int:
        """Settle what is decided, and return how many records still wait."""
        return self._disk.poll()

    def close(self, timeout_s: float) -> int:
        """Settle all that can be settled in time, and return how many records could not."""
        return self._disk.close(timeout_s)
