"""The publisher: sends the lines of planned files, group by group, in their order."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from time import time_ns

from edge.device_outbox import DeviceOutbox
from edge.outbox import Outbox, OutboxError, OutRecord
from infra.publish.enrolment import Enrolment
from infra.publish.lines import BadLine, Reader
from infra.publish.making import Made, made
from infra.publish.options import PublishOptions
from infra.publish.pace import Pace
from infra.publish.plan import FilePlan
from infra.publish.report import Report
from infra.publish.sent_ledger import SentLedger
from telemetry.ledger import Ack
from telemetry.records import Headers, record_headers

GROUP = 1_000
ACK_TIMEOUT_S = 120.0
PROTOCOL = "publish"


class Publisher:
    """Sends the records of planned files and counts their acknowledgements."""

    def __init__(
        self,
        outbox: Outbox,
        enrolment: Enrolment,
        *,
        pace: Pace,
        ledger: SentLedger | None,
        report: Report,
    ) -> None:
        self._counts = report.counts
        self._outbox = outbox
        self._enrolment = enrolment
        self._pace = pace
        self._ledger = ledger
        self._report = report
        self._position = 0

    def publish(self, plans: Sequence[FilePlan], options: PublishOptions) -> None:
        """Send all files, and wait until every record is acknowledged."""
        times = Counter(plan.digest for plan in plans)
        for plan in plans:
            with plan.source.reading() as reader:
                rows = made(plan, reader.lines(), options)
                self._send_rows(plan, reader, rows, is_once=times[plan.digest] == 1)
            self._position += plan.source.path.stat().st_size
        waiting = self._outbox.flush(ACK_TIMEOUT_S)
        if waiting:
            raise OutboxError(f"{waiting} records are not acknowledged after {ACK_TIMEOUT_S:.0f} s")
        if isinstance(self._outbox, DeviceOutbox) and self._outbox.refusals:
            why = ", ".join(f"{n} {reason}" for reason, n in self._outbox.refusals.items())
            raise OutboxError(f"the gateway refused records: {why}; the rest is published")

    def _send_rows(
        self, plan: FilePlan, reader: Reader, rows: Iterator[Made | BadLine], *, is_once: bool
    ) -> None:
        size = self._pace.group(GROUP)
        while group := list(islice(rows, size)):
            self._counts.read += len(group)
            for row in group:
                if isinstance(row, BadLine):
                    self._report.bad(plan.source.name, row)
            good = [row for row in group if isinstance(row, Made)]
            self._pace.wait(len(good))
            self._send(good, is_once=is_once)
            self._report.progress(self._position + reader.position)

    def _send(self, rows: Sequence[Made], *, is_once: bool) -> None:
        is_new = self._enrolment.enrol({row.device_full for row in rows})
        records = _records(rows, time_ns() // 1000)
        if self._ledger is None:
            for record in records:
                self._outbox.send(record, self._acknowledged)
            return
        if is_new:
            self._ledger.refresh()
        unique = [is_once and row.is_keyed_by_line for row in rows]
        for record, acks in zip(records, self._ledger.sent(records, unique), strict=True):
            self._outbox.send(record, _Receipt(self._acknowledged, self._ledger, acks))

    def _acknowledged(self, _at: int) -> None:
        self._counts.published += 1


@dataclass(frozen=True, slots=True)
class _Receipt:
    """Writes what became of one record into the ledger."""

    counted: Callable[[int], None]
    ledger: SentLedger
    acks: Sequence[Ack]

    def __call__(self, at: int) -> None:
        self.counted(at)
        self.ledger.acknowledged(self.acks, at)

    def refuse(self, reason: str) -> None:
        """Write nothing: it is not acknowledged."""

    def sent_again(self) -> None:
        """Write that its device sent it once more."""
        self.ledger.sent_again(self.acks, time_ns() // 1000)


def _records(rows: Sequence[Made], received_at: int) -> list[OutRecord]:
    headers = {name: _headers(name, received_at) for name in {row.device_full for row in rows}}
    return [
        OutRecord(row.device_full.encode(), row.value, headers[row.device_full]) for row in rows
    ]


def _headers(device_full: str, received_at: int) -> Headers:
    return record_headers(device_full, received_at=received_at, protocol=PROTOCOL)
