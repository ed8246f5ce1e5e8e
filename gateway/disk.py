"""The spool's disk: records are settled one by one, and a disk that failed is tried again."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from edge.outbox import OutboxError, OutRecord
from edge.spool import WAITING_SEGMENTS, SpoolOutbox
from gateway.counters import Counters
from gateway.outlet import OutletError, Settle

SEGMENT_RECORDS = 5_000
SEGMENT_AGE_S = 0.05
"""An acknowledgement waits for a segment, so that is short."""
MOST_WAITING = SEGMENT_RECORDS * (WAITING_SEGMENTS - 1)
MOST_HELD = 64 * 1024 * 1024
"""Bytes that wait after which no batch goes on. One that has begun has 32 MiB at most; no record is
taken beyond twice as many."""
AGAIN_S = 5.0
BROKEN = "the spool cannot be written"
"""What devices are told; the log says why, and names the folder."""


class Disk:
    """Writes segments; while the disk takes none it refuses, and asks it again now and then."""

    def __init__(
        self,
        folder: Path,
        counters: Counters,
        *,
        again_s: float = AGAIN_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._counters = counters
        self._again_s = again_s
        self._clock = clock
        self._again_at = 0.0
        self._spool: SpoolOutbox | None = self._opened()
        self._settles: dict[int, Settle] = {}
        self._held = 0
        """Bytes of what is not settled."""
        self._number = 0

    @property
    def waiting(self) -> int:
        """How many records are not settled."""
        return len(self._settles)

    def room(self) -> int:
        """Return how many records it takes now; raise `OutletError` while it takes none."""
        if self._spool is None:
            self._open_again()
        return MOST_WAITING - len(self._settles) if self._held < MOST_HELD else 0

    def _opened(self) -> SpoolOutbox:
        return SpoolOutbox(
            self._folder, segment_records=SEGMENT_RECORDS, segment_age_s=SEGMENT_AGE_S
        )

    def send(self, record: OutRecord, settle: Settle) -> None:
        """Take a record, or raise `OutletError`."""
        if self._spool is None:
            self._open_again()
        assert self._spool is not None
        if len(self._settles) >= MOST_WAITING or self._held >= 2 * MOST_HELD:
            raise OutletError("the disk is slow", is_away=False, retry_after_s=1.0)
        self._number += 1
        number, size = self._number, len(record.value)

        def acknowledged(_at: int) -> None:
            self._held -= size
            self._settles.pop(number)(None, None)

        self._settles[number] = settle
        self._held += size
        try:
            self._spool.send(record, acknowledged)
        except OutboxError as error:
            self._held -= size
            del self._settles[number]
            if not self._settles:
                # Else `poll` sees it as well, and it has others to tell.
                self._give_up(error)
            raise self._away() from error

    def _open_again(self) -> None:
        left_s = self._again_at - self._clock()
        if left_s > 0:
            raise OutletError(BROKEN, is_away=True, retry_after_s=left_s)
        try:
            self._spool = self._opened()
        except (OutboxError, OSError) as error:
            self._failed(error)
            raise self._away() from error

    def poll(self) -> int:
        """Settle what is decided, and return how many records still wait."""
        if self._spool is not None:
            try:
                self._spool.poll()
            except OutboxError as error:
                self._give_up(error)
        return len(self._settles)

    def _give_up(self, error: Exception) -> None:
        """Let go of the spool that failed, and tell all that wait; it is opened anew later."""
        spool, self._spool = self._spool, None
        if spool is not None:
            with suppress(OutboxError, OSError):
                spool.close()
        self._failed(error)
        settles = list(self._settles.values())
        self._settles.clear()
        self._held = 0
        for settle in settles:
            settle(self._away(), None)

    def _failed(self, error: Exception) -> None:
        self._again_at = self._clock() + self._again_s
        self._counters.add("spool_failures")
        print(f"gateway: {error}", file=sys.stderr, flush=True)  # noqa: T201

    def _away(self) -> OutletError:
        return OutletError(BROKEN, is_away=True, retry_after_s=self._again_s)

    def close(self, timeout_s: float) -> int:
        """Settle all that can be settled in time, and return how many records could not."""
        if self._spool is None:
            return len(self._settles)
        try:
            left = self._spool.flush(timeout_s)
            self._spool.close()
        except OutboxError as error:
            left = len(self._settles)
            self._give_up(error)
        return left
