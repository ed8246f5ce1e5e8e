"""The spool as an outbox: Parquet segments that Spark reads as it reads Kafka.

A writer owns one partition. A segment is written to `tmp/`, fsynced, renamed into `segments/`, and
the folder fsynced; only then are its records acknowledged. A killed writer leaves no more than a
file in `tmp/`, which the partition's next owner removes.
"""

import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from edge.outbox import OnAck, OutboxError, OutRecord
from edge.spool_partition import SpoolPartition, claim_partition

SEGMENT_RECORDS = 5_000
SEGMENT_AGE_S = 0.5
WAITING_SEGMENTS = 4
CLOSE_TIMEOUT_S = 30.0

Entry = tuple[OutRecord, OnAck | None]


class SpoolOutbox:
    """Collects records, and has a thread of its own write a segment of them at a time."""

    def __init__(
        self,
        spool_dir: Path,
        *,
        segment_records: int = SEGMENT_RECORDS,
        segment_age_s: float = SEGMENT_AGE_S,
    ) -> None:
        self._partition: SpoolPartition = claim_partition(spool_dir)
        self._segment_records = segment_records
        self._segment_age_s = segment_age_s
        self._entries: deque[Entry] = deque()
        self._acked: deque[tuple[OnAck, int]] = deque()
        self._waiting = 0
        self._changed = threading.Condition()
        self._is_pushed = False
        self._is_closed = False
        self._failure: OutboxError | None = None
        self._writer = threading.Thread(target=self._write_segments, daemon=True, name="spool")
        self._writer.start()

    @property
    def partition(self) -> int:
        """The partition that this writer owns."""
        return self._partition.number

    def send(self, record: OutRecord, on_ack: OnAck | None = None) -> None:
        """Take a record; block while several segments wait for the disk."""
        with self._changed:
            self._raise_failure()
            while self._waiting >= WAITING_SEGMENTS * self._segment_records:
                self._changed.wait()
                self._raise_failure()
            self._entries.append((record, on_ack))
            self._waiting += 1
            if len(self._entries) in (1, self._segment_records):
                self._changed.notify_all()
        if self._acked:
            self._serve_acks()

    def poll(self, timeout_s: float = 0.0) -> int:
        """Serve acknowledgements, and return how many records still wait."""
        give_up = time.monotonic() + timeout_s
        with self._changed:
            while not self._acked and self._waiting and not self._failure:
                if not self._changed.wait(max(0.0, give_up - time.monotonic())):
                    break
        self._serve_acks()
        self._raise_failure()
        return self._waiting

    def flush(self, timeout_s: float) -> int:
        """Close the open segment now and wait until all is on disk."""
        with self._changed:
            self._is_pushed = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._waiting or self._failure, timeout_s)
            self._is_pushed = False
        self._serve_acks()
        self._raise_failure()
        return self._waiting

    def close(self) -> None:
        """Flush and give the partition back."""
        try:
            waiting = self.flush(CLOSE_TIMEOUT_S)
        finally:
            self._stop()
        if waiting:
            raise OutboxError(f"the spool's disk does not answer: {waiting} records are not on it")

    def _stop(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._writer.join(CLOSE_TIMEOUT_S)
        self._partition.release()

    def _serve_acks(self) -> None:
        while self._acked:
            on_ack, at_us = self._acked.popleft()
            on_ack(at_us)

    def _raise_failure(self) -> None:
        if self._failure:
            raise self._failure

    def _write_segments(self) -> None:
        while entries := self._next_entries():
            try:
                at_us = self._partition.append([record for record, _ in entries])
            except Exception as error:
                self._fail(error)
                return
            self._acked.extend((on_ack, at_us) for _, on_ack in entries if on_ack)
            with self._changed:
                self._waiting -= len(entries)
                self._changed.notify_all()

    def _next_entries(self) -> list[Entry]:
        with self._changed:
            self._changed.wait_for(lambda: self._entries or self._is_closed)
            self._changed.wait_for(self._is_due, self._segment_age_s)
            if self._is_closed:
                return []
            count = min(len(self._entries), self._segment_records)
            return [self._entries.popleft() for _ in range(count)]

    def _is_due(self) -> bool:
        return (
            len(self._entries) >= self._segment_records
            or (self._is_pushed and len(self._entries) > 0)
            or self._is_closed
        )

    def _fail(self, error: Exception) -> None:
        with self._changed:
            self._failure = OutboxError(f"the spool cannot be written: {error}")
            self._failure.__cause__ = error
            self._changed.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
            return
        with suppress(OutboxError):
            self.close()
