"""Groups of messages: records to send, with the ledger lines that go before and after them."""

import heapq
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Literal

import orjson

from edge.outbox import OutRecord
from simulator.drafts import Draft, Outcome, Posting, honest
from simulator.effects import EFFECTS
from simulator.entries import (
    ack_head,
    ack_heads,
    label_line,
    sent_head,
    sent_in_time,
    sent_line,
)
from simulator.faults import cause
from simulator.measurements import Clock, Measurements, Run, Stretch
from simulator.rendering import render
from telemetry.records import Headers, record_headers

PROTOCOL = "simulator"
ECHO_WITHIN_S = 10.0
_record = tuple.__new__
"""Makes an `OutRecord` in half the time that its own constructor takes."""
Result = tuple[str, str | None]
Echo = Literal["duplicate", "conflict"]
ECHOES: Mapping[str, Echo] = {"duplicate": "duplicate", "conflict": "conflict"}


@dataclass(slots=True)
class Group:
    """What is sent at once: a sent line and an ack head a message, a record for one or more.

    `labels` are lines of what truly goes wrong from now on. `several` holds how many messages a
    record has where that is not one.
    """

    records: list[OutRecord] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    acks: list[str] = field(default_factory=list)
    expected: Counter[Result] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    several: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Line:
    """What the lines of one device's honest messages begin with."""

    sent: str
    key: bytes
    headers: Headers


class Groups:
    """Builds groups in the order of the plan, and keeps what must be sent once more."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._measurements = Measurements(run)
        self._lines = [
            _Line(
                sent_head(device.device_full, run.boot),
                device.device_full.encode(),
                _standing(device.device_full),
            )
            for device in run.fleet.devices
        ]
        self._labels = [_labels(tags) for tags in run.fleet.tags]
        self._echoes: list[tuple[int, int, Echo, Draft]] = []

    def build(self, start: int, stop: int, clock: Clock) -> Group:
        """Return messages `start` to `stop` and the copies that are due with them."""
        group = Group(labels=self._labels_until(stop, clock))
        for stretch in self._measurements.between(start, stop, clock):
            self._add_honest(group, stretch, clock.now)
            self._add_faulty(group, stretch, clock.now)
        self._add_echoes(group, stop, clock.now)
        return group

    def _labels_until(self, stop: int, clock: Clock) -> list[str]:
        devices = self._run.fleet.devices
        return [
            label_line(
                devices[label.device].device_full,
                EFFECTS[label.kind].metric,
                label.kind,
                begin,
                end,
            )
            for label, begin, end in self._measurements.labels(stop, clock)
        ]

    def rest(self, clock: Clock) -> Group:
        """Return the copies that are still to be sent when the run ends."""
        group = Group()
        while self._echoes:
            self._add_echo(group, clock.now)
        return group

    def _add_honest(self, group: Group, stretch: Stretch, now: int) -> None:
        part = stretch.where(stretch.span.fault < 0)
        seqs, event_times = part.span.seq.tolist(), part.event_time.tolist()
        bodies = render(part, self._run.boot, self._labels)
        digests = [sha256(body).hexdigest() for body in bodies]
        lines = [self._lines[device] for device in part.span.device.tolist()]
        received = ("received_at", b"%d" % now)
        group.records += [
            _record(OutRecord, (line.key, body, [received, *line.headers]))
            for line, body in zip(lines, bodies, strict=True)
        ]
        group.sent += [
            sent_in_time(line.sent, seq, digest, now, event_time)
            for line, seq, digest, event_time in zip(lines, seqs, digests, event_times, strict=True)
        ]
        group.acks += ack_heads(self._run.boot, seqs, digests)
        group.expected["silver", None] += len(bodies)

    def _add_faulty(self, group: Group, stretch: Stretch, now: int) -> None:
        part = stretch.where(stretch.span.fault >= 0)
        for number, fault, draft in self._measurements.drafts(part, now):
            group.faults[fault] += 1
            _add(group, cause(fault, draft), now)
            if fault in ECHOES:
                due = number + 1 + int(draft.dice * ECHO_WITHIN_S * self._run.rate)
                heapq.heappush(self._echoes, (due, number, ECHOES[fault], draft))

    def _add_echoes(self, group: Group, stop: int, now: int) -> None:
        while self._echoes and self._echoes[0][0] < stop:
            self._add_echo(group, now)

    def _add_echo(self, group: Group, now: int) -> None:
        _, _, kind, draft = heapq.heappop(self._echoes)
        if kind == "conflict":
            draft = draft._replace(
                event_time=now // 1000 * 1000,
                received_at=now,
                extra={**draft.extra, "tags": {"copy": "2"}},
            )
        copy = honest(draft)
        outcome = copy.outcomes[0]._replace(expect=kind, reason=None)
        _add(group, copy._replace(outcomes=(outcome,)), now)


def _labels(tags: Mapping[str, str]) -> str:
    return f',"tags":{orjson.dumps(tags).decode()}' if tags else ""


@lru_cache(maxsize=100_000)
def _standing(device_full: str) -> Headers:
    headers = record_headers(device_full, received_at=0, protocol=PROTOCOL)
    return [header for header in headers if header[0] != "received_at"]


def _add(group: Group, posting: Posting, now: int) -> None:
    name = posting.device_full
    headers = [("received_at", b"%d" % now), *_standing(name)] if posting.has_headers else []
    if len(posting.outcomes) != 1:
        group.several[len(group.records)] = len(posting.outcomes)
    group.records.append(_record(OutRecord, (name.encode(), posting.value, headers)))
    for outcome in posting.outcomes:
        _add_lines(group, name, outcome, now)
        group.expected[outcome.expect, outcome.reason] += 1


def _add_lines(group: Group, name: str, outcome: Outcome, now: int) -> None:
    digest = sha256(outcome.body).hexdigest()
    group.sent.append(sent_line(name, outcome, digest, now))
    group.acks.append(ack_head(outcome.boot, outcome.seq, digest))
