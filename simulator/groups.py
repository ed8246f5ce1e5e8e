"""Groups of messages: records to send, with the ledger lines that go before and after them."""

import heapq
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Literal

import numpy as np
import orjson

from edge.outbox import OutRecord
from simulator.drafts import Draft, Outcome, Posting, posting
from simulator.effects import EFFECTS
from simulator.entries import (
    ack_head,
    ack_heads,
    label_line,
    sent_head,
    sent_line,
    sent_lines,
    sent_tail,
)
from simulator.fates import FATES, by_delays
from simulator.faults import FAULTS, cause
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
_TAILS = [sent_tail(fate) for fate in FATES]


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
        self._names = self._measurements.fault_names
        bodiless = [FAULTS[name].make is None for name in self._names]
        self._is_honest = np.array([*bodiless, True])
        self._has_echo = np.array([*(name in ECHOES for name in self._names), False])
        self._lines = [
            _Line(
                sent_head(device.device_full, run.boot),
                device.device_full.encode(),
                _standing(device.device_full),
            )
            for device in run.fleet.devices
        ]
        self._labels = [_labels(tags) for tags in run.fleet.tags]
        self._echoes: list[tuple[int, int, Echo, Draft, bytes]] = []

    def build(self, start: int, stop: int, clock: Clock) -> Group:
        """Return messages `start` to `stop` and the copies that are due with them."""
        group = Group(labels=self._labels_until(stop, clock))
        for stretch in self._measurements.between(start, stop, clock):
            is_honest = self._is_honest[stretch.span.fault]
            self._add_honest(group, stretch.where(is_honest), clock.now)
            self._add_faulty(group, stretch.where(~is_honest), clock.now)
            self._keep_echoes(stretch.where(self._has_echo[stretch.span.fault]), clock.now)
            self._count_faults(group, stretch)
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

    def _add_honest(self, group: Group, part: Stretch, now: int) -> None:
        seqs, bodies = part.span.seq.tolist(), render(part, self._run.boot, self._labels)
        digests = [sha256(body).hexdigest() for body in bodies]
        lines = [self._lines[device] for device in part.span.device.tolist()]
        received = ("received_at", b"%d" % now)
        group.records += [
            _record(OutRecord, (line.key, body, [received, *line.headers]))
            for line, body in zip(lines, bodies, strict=True)
        ]
        kept = np.minimum(part.event_time, now + self._run.tolerance)
        fates = by_delays(self._run.products[part.model.product.key], now - kept).tolist()
        heads, tails = [line.sent for line in lines], [_TAILS[fate] for fate in fates]
        rows = zip(heads, seqs, digests, kept.tolist(), tails, strict=True)
        group.sent += sent_lines(rows, now)
        group.acks += ack_heads(self._run.boot, seqs, digests)
        group.expected.update({FATES[fate]: count for fate, count in Counter(fates).items()})

    def _add_faulty(self, group: Group, part: Stretch, now: int) -> None:
        for _, fault, draft in self._measurements.drafts(part, now):
            _add(group, cause(fault, draft), now)

    def _keep_echoes(self, part: Stretch, now: int) -> None:
        bodies = render(part, self._run.boot, self._labels)
        drafts = self._measurements.drafts(part, now)
        for (number, fault, draft), body in zip(drafts, bodies, strict=True):
            due = number + 1 + int(draft.dice * ECHO_WITHIN_S * self._run.rate)
            heapq.heappush(self._echoes, (due, number, ECHOES[fault], draft, body))

    def _count_faults(self, group: Group, stretch: Stretch) -> None:
        counts = np.bincount(stretch.span.fault + 1, minlength=len(self._names) + 1)[1:]
        found = zip(self._names, counts.tolist(), strict=True)
        group.faults.update({name: count for name, count in found if count})

    def _add_echoes(self, group: Group, stop: int, now: int) -> None:
        while self._echoes and self._echoes[0][0] < stop:
            self._add_echo(group, now)

    def _add_echo(self, group: Group, now: int) -> None:
        _, _, kind, draft, body = heapq.heappop(self._echoes)
        if kind == "conflict":
            draft = draft._replace(
                event_time=now // 1000 * 1000,
                received_at=now,
                extra={**draft.extra, "tags": {"copy": "2"}},
            )
            body = orjson.dumps(draft.fields())
        event_time = min(draft.event_time, draft.received_at + draft.tolerance)
        outcome = Outcome(body, draft.boot, draft.seq, event_time, kind)
        _add(group, posting(draft, outcome), now)


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
