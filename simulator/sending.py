"""The loop of a run: build a group, write it down, send it, write down what is acknowledged."""

import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from edge.device_outbox import TIMED_OUT, Connections, DeviceOutbox
from edge.outbox import Outbox, OutboxError
from simulator.entries import ack_lines, again_lines
from simulator.groups import Group, Groups, Result
from simulator.ledger_file import LedgerFile
from simulator.measurements import Clock

GROUP_S = 0.2
"""The longest that a group's messages wait for one another; many a second wait less."""
SHORTEST_GROUP_S, FULL_GROUP = 0.05, 1_000
MOST_IN_GROUP = 8_192
MOST_UNDERWAY = 8
ACK_TIMEOUT_S = 180.0


@dataclass(slots=True)
class Totals:
    """What a run has done so far."""

    sent: int = 0
    acked: int = 0
    records: int = 0
    bytes: int = 0
    expected: Counter[Result] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    """Refused messages by the gateway's reason."""
    timed_out: int = 0
    sent_again: int = 0
    """How often a device sent a message once more, as it had no answer."""
    labels: int = 0
    underway: int = 0
    """Acknowledged messages of groups that have others without an answer; not in `acked` yet."""
    connections: Connections | None = None
    """Those of the devices, where the run goes through the gateway."""

    def refuse(self, reason: str, messages: int) -> None:
        """Count messages that were not acknowledged."""
        if reason == TIMED_OUT:
            self.timed_out += messages
        else:
            self.refused += messages
            self.refusals[reason] += messages


@dataclass(frozen=True, slots=True)
class Pace:
    """Messages a second (None: as many as will go), and the end: a number of them, or a time."""

    rate: float | None
    messages: int | None
    seconds: float | None

    def due(self, elapsed_s: float, sent: int) -> int:
        """Return how many messages should have been sent by now."""
        due = sent + MOST_IN_GROUP if self.rate is None else int(elapsed_s * self.rate) + 1
        most = due if self.messages is None else self.messages
        return min(due, most, sent + MOST_IN_GROUP)

    @property
    def group_s(self) -> float:
        """How long after a group the next one is due: with some 1,000 messages, or at once."""
        shortest = 0.0 if self.rate is None else FULL_GROUP / self.rate
        return min(GROUP_S, max(SHORTEST_GROUP_S, shortest))

    def is_over(self, elapsed_s: float, sent: int) -> bool:
        """Say whether the run has come to its end."""
        if self.messages is not None:
            return sent >= self.messages
        return self.seconds is not None and elapsed_s >= self.seconds


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the loop calls: before messages up to a number are built, after them, and to stop."""

    prepare: Callable[[int], None]
    show: Callable[[Totals], None]
    is_stopped: Callable[[], bool]


class _Underway:
    """A group on its way: how many of its records have no answer yet."""

    __slots__ = ("at", "heads", "left", "messages", "refused", "several")

    def __init__(self, group: Group) -> None:
        self.heads = group.acks
        self.several = group.several
        self.left = len(group.records)
        self.at = 0
        self.messages = 0
        """How many are acknowledged so far."""
        self.refused: dict[int, str] = {}

    def acknowledge(self, at: int, messages: int = 1) -> None:
        """Count one record down."""
        self.left -= 1
        self.messages += messages
        self.at = at

    def acknowledged(self) -> list[str]:
        """Return the heads of the messages that were not refused."""
        if not self.refused:
            return self.heads
        kept: list[str] = []
        first = 0
        for record in range(len(self.heads) + len(self.several)):
            count = self.several.get(record, 1)
            if record not in self.refused:
                kept += self.heads[first : first + count]
            first += count
        return kept

    def heads_of(self, record: int) -> list[str]:
        """Return the heads of one record's messages."""
        before = sum(count - 1 for other, count in self.several.items() if other < record)
        first = record + before
        return self.heads[first : first + self.several.get(record, 1)]


class _Receipt:
    """Hears what became of one record; `again` takes the heads of one that was sent again."""

    __slots__ = ("_again", "_record", "_underway")

    def __init__(
        self, underway: _Underway, record: int, again: Callable[[list[str]], None]
    ) -> None:
        self._underway = underway
        self._record = record
        self._again = again

    def __call__(self, at: int) -> None:
        self._underway.acknowledge(at, self._underway.several.get(self._record, 1))

    def refuse(self, reason: str) -> None:
        """Have no line of the record written as acknowledged."""
        self._underway.refused[self._record] = reason
        self._underway.left -= 1

    def sent_again(self) -> None:
        """Have lines written of the record's further copy."""
        self._again(self._underway.heads_of(self._record))


class Sending:
    """Sends groups: each is in the ledger before it is sent, and a few are on their way at once."""

    def __init__(self, groups: Groups, outbox: Outbox, ledger: LedgerFile, totals: Totals) -> None:
        self.totals = totals
        self._groups = groups
        self._outbox = outbox
        self._ledger = ledger
        self._underway: deque[_Underway] = deque()
        self._hooks: Hooks

    def run(self, pace: Pace, hooks: Hooks) -> None:
        """Send until the end or until stopped; every message sent is then acknowledged."""
        started = time.time_ns() // 1000
        origin = started if pace.rate else None
        number = 0
        self._hooks = hooks
        while not hooks.is_stopped():
            now = time.time_ns() // 1000
            elapsed_s = (now - started) / 1_000_000
            if pace.is_over(elapsed_s, number):
                self._send(self._groups.rest(Clock(now, origin)))
                break
            due = pace.due(elapsed_s, number)
            hooks.prepare(due)
            self._send(self._groups.build(number, due, Clock(now, origin)))
            number = due
            self._show()
            if pace.rate:
                self._pause(now / 1_000_000 + pace.group_s)
        self._settle(0)

    def _show(self) -> None:
        self.totals.underway = sum(each.messages for each in self._underway)
        self._hooks.show(self.totals)

    def _send(self, group: Group) -> None:
        if not group.records:
            return
        self._ledger.announce("".join(group.labels + group.sent))
        self._settle(MOST_UNDERWAY - 1)
        underway = _Underway(group)
        self._underway.append(underway)
        if isinstance(self._outbox, DeviceOutbox):
            for number, record in enumerate(group.records):
                # A slow protocol takes long for a group, and blocks while too many wait.
                again = partial(self._write_again, record.key.decode())
                self._outbox.send(record, _Receipt(underway, number, again))
                self._show()
        else:
            send, acknowledge = self._outbox.send, underway.acknowledge
            for record in group.records:
                send(record, acknowledge)
        self.totals.labels += len(group.labels)
        self.totals.sent += len(group.sent)
        self.totals.records += len(group.records)
        self.totals.bytes += sum(len(record.value) for record in group.records)
        self.totals.expected += group.expected
        self.totals.faults += group.faults

    def _settle(self, most: int) -> None:
        """Write what is acknowledged, and wait while more than `most` groups are underway."""
        give_up = time.monotonic() + ACK_TIMEOUT_S
        self._write_acks()
        while len(self._underway) > most:
            if time.monotonic() > give_up:
                raise OutboxError("no acknowledgement for three minutes: see `headwater status`")
            self._outbox.poll(0.02)
            self._write_acks()
            self._show()

    def _write_acks(self) -> None:
        while self._underway and not self._underway[0].left:
            settled = self._underway.popleft()
            heads = settled.acknowledged()
            self._ledger.acknowledge(ack_lines(heads, settled.at))
            self.totals.acked += len(heads)
            for record, reason in settled.refused.items():
                self.totals.refuse(reason, settled.several.get(record, 1))

    def _write_again(self, device_full: str, heads: list[str]) -> None:
        self._ledger.acknowledge(again_lines(device_full, heads, time.time_ns() // 1000))
        self.totals.sent_again += len(heads)

    def _pause(self, until_s: float) -> None:
        while (left := until_s - time.time()) > 0:
            if self._underway:
                self._outbox.poll(min(left, 0.02))
                self._write_acks()
                self._show()
            else:
                time.sleep(left)
