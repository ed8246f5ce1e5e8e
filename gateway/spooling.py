"""The light path's spool as an outlet."""

from pathlib import Path
from typing import cast

from edge.outbox import OutboxError, OutRecord
from edge.spool import WAITING_SEGMENTS, SpoolOutbox
from gateway.outlet import Headers, OutletError, Settle
from telemetry.topics import TELEMETRY, TELEMETRY_DEAD

_Bytes = list[tuple[str, bytes]]
SEGMENT_RECORDS = 5_000
SEGMENT_AGE_S = 0.05
"""An acknowledgement waits for a segment, so that is short."""
LANDED = (TELEMETRY.name, TELEMETRY_DEAD.name)
"""What cannot be read has no topic of its own here: landing keeps it in `silver.rejected`."""
MOST_WAITING = SEGMENT_RECORDS * (WAITING_SEGMENTS - 1)


class SpoolOutlet:
    """Writes telemetry to the spool that the streams read; other topics have no place there."""

    def __init__(self, spool_dir: Path) -> None:
        self._spool = SpoolOutbox(
            spool_dir, segment_records=SEGMENT_RECORDS, segment_age_s=SEGMENT_AGE_S
        )
        self._waiting = 0
        self._settles: dict[int, Settle] = {}
        self._number = 0

    def send(self, topic: str, key: bytes, value: bytes, headers: Headers, settle: Settle) -> None:
        """Take a record, or raise `OutletError`."""
        if topic not in LANDED:
            raise OutletError(
                "the light stack keeps telemetry only", is_away=True, retry_after_s=60
            )
        if len(self._settles) >= MOST_WAITING:
            raise OutletError("the disk is slow", is_away=False, retry_after_s=1.0)
        self._number += 1
        number = self._number

        def acknowledged(_at: int) -> None:
            self._settles.pop(number)(None, None)

        self._settles[number] = settle
        try:
            self._spool.send(
                OutRecord(key, value, cast(_Bytes, list(headers.items()))), acknowledged
            )
        except OutboxError as error:
            self._settles.pop(number, None)
            raise OutletError(str(error), is_away=True, retry_after_s=10.0) from error

    def poll(self) -> int:
        """Settle what is decided, and return how many records still wait."""
        try:
            self._spool.poll()
        except OutboxError as error:
            self._fail(error)
        return len(self._settles)

    def _fail(self, error: OutboxError) -> None:
        failed = list(self._settles.values())
        self._settles.clear()
        for settle in failed:
            settle(error, None)

    def close(self, timeout_s: float) -> int:
        """Settle all that can be settled in time, and return how many records could not."""
        try:
            left = self._spool.flush(timeout_s)
            self._spool.close()
        except OutboxError as error:
            left = len(self._settles)
            self._fail(error)
        return left
