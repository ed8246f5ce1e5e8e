"""The loop: in the ledger before it is sent, acknowledged after, group by group."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from edge.device_outbox import Connections, DeviceOutbox, Posting, Settled
from edge.outbox import OnAck, OutboxError, OutRecord
from simulator.groups import Groups
from simulator.ledger_file import LedgerFile
from simulator.scenarios import load_scenario
from simulator.sending import MOST_IN_GROUP, Hooks, Pace, Sending, Totals
from telemetry.ledger import Entry, parse
from tests.simulator.runs import KeptOutbox, run_of

EVER = Hooks(lambda due: None, lambda totals: None, lambda: False)


class WatchfulOutbox(KeptOutbox):
    """Asserts of each record that the ledger's file announced it before; may fail at one."""

    def __init__(self, ledger: Path, fail_at: int | None = None) -> None:
        super().__init__()
        self._ledger = ledger
        self._fail_at = fail_at
        self._announced = 0

    def send(self, record: OutRecord, on_ack: OnAck | None = None) -> None:
        """Keep the record, unless it is the one that fails."""
        if len(self.records) >= self._announced:
            self._announced = sum(entry["e"] == "sent" for entry in entries(self._ledger))
        assert len(self.records) < self._announced
        if len(self.records) == self._fail_at:
            raise OutboxError("the broker is gone")
        super().send(record, on_ack)


def entries(path: Path) -> list[Entry]:
    """Return the ledger's lines."""
    return [parse(line) for line in path.read_bytes().splitlines()]


def send(path: Path, registry: Path, outbox: KeptOutbox, hooks: Hooks = EVER) -> Totals:
    """Send 20,000 mixed messages as fast as they go."""
    groups = Groups(run_of(registry, load_scenario("mixed"), total=20_000).run)
    totals = Totals()
    with LedgerFile(path) as ledger:
        Sending(groups, outbox, ledger, totals).run(Pace(None, 20_000, None), hooks)
    return totals


def test_every_message_is_announced_before_and_acknowledged_after(tmp_path: Path) -> None:
    path = tmp_path / "ledger.ndjson"
    outbox = WatchfulOutbox(path)

    totals = send(path, tmp_path, outbox)

    sent = [entry["sha256"] for entry in entries(path) if entry["e"] == "sent"]
    acked = [entry["sha256"] for entry in entries(path) if entry["e"] == "ack"]
    assert sent == acked
    assert totals.sent == totals.acked == len(sent) > 20_000
    assert totals.records == len(outbox.records) < totals.sent
    assert sum(totals.expected.values()) == totals.sent


def test_group_is_acknowledged_when_all_of_it_is(tmp_path: Path) -> None:
    path = tmp_path / "ledger.ndjson"
    outbox = KeptOutbox()
    shown: list[int] = []

    def acknowledge_most(totals: Totals) -> None:
        shown.append(sum(entry["e"] == "ack" for entry in entries(path)))
        for on_ack in outbox.waiting[:-1]:
            on_ack(1)
        outbox.waiting = outbox.waiting[-1:]

    totals = send(path, tmp_path, outbox, Hooks(lambda due: None, acknowledge_most, lambda: False))

    assert shown[:2] == [0, 0]
    assert MOST_IN_GROUP <= shown[2] < 1.2 * MOST_IN_GROUP
    assert totals.acked == totals.sent


def test_failed_outbox_leaves_what_it_had_unacknowledged(tmp_path: Path) -> None:
    path = tmp_path / "ledger.ndjson"

    with pytest.raises(OutboxError):
        send(path, tmp_path, WatchfulOutbox(path, fail_at=9_000))

    sent = [entry for entry in entries(path) if entry["e"] == "sent"]
    acked = [entry for entry in entries(path) if entry["e"] == "ack"]
    assert len(sent) > 9_000
    assert not acked


def test_stopping_acknowledges_what_was_sent(tmp_path: Path) -> None:
    path = tmp_path / "ledger.ndjson"
    shown: list[int] = []
    hooks = Hooks(
        lambda due: None, lambda totals: shown.append(totals.sent), lambda: len(shown) >= 1
    )

    totals = send(path, tmp_path, KeptOutbox(), hooks)

    assert 0 < totals.sent < 20_000
    assert totals.acked == totals.sent


def test_pace_is_never_ahead_of_its_rate() -> None:
    pace = Pace(rate=100.0, messages=50, seconds=None)

    assert pace.due(0.1, 0) == 11
    assert pace.due(10.0, 0) == 50
    assert not pace.is_over(10.0, 49)
    assert pace.is_over(0.0, 50)
    assert Pace(None, None, 2.0).is_over(2.0, 0)


@pytest.mark.parametrize(
    ("rate", "group_s"),
    [(None, 0.05), (50_000.0, 0.05), (10_000.0, 0.1), (5_000.0, 0.2), (1.0, 0.2)],
)
def test_many_messages_a_second_go_in_shorter_groups(rate: float | None, group_s: float) -> None:
    assert Pace(rate, None, None).group_s == group_s


class WaywardSender:
    """Refuses every fifth record, and never answers every seventh."""

    def __init__(self, settled: Settled) -> None:
        self._settled = settled
        self._count = 0
        self.connections = Connections()
        self.has_connections = False

    def open(self, names: Sequence[str]) -> None:
        """Do nothing."""

    def send(self, posting: Posting) -> None:
        """Answer, or not."""
        self._count += 1
        if self._count % 7:
            self._settled(posting, None if self._count % 5 else "undecodable")

    async def close(self) -> None:
        """Do nothing."""


def test_each_message_is_acknowledged_refused_or_timed_out(tmp_path: Path) -> None:
    path = tmp_path / "ledger.ndjson"
    groups = Groups(run_of(tmp_path, load_scenario("mixed"), total=500).run)
    totals = Totals()
    with LedgerFile(path) as ledger, DeviceOutbox(WaywardSender, answer_within_s=0.2) as outbox:
        Sending(groups, outbox, ledger, totals).run(Pace(None, 500, None), EVER)

    acked = [entry for entry in entries(path) if entry["e"] == "ack"]
    assert len(acked) == totals.acked > 300
    assert totals.timed_out > 60
    assert totals.refusals == {"undecodable": totals.refused}
    assert totals.refused > 60
    assert totals.sent == totals.acked + totals.refused + totals.timed_out


class StutteringSender(WaywardSender):
    """Writes every third record twice, before its answer or after it."""

    def send(self, posting: Posting) -> None:
        """Answer, and write once more."""
        self._count += 1
        posting.written()
        if self._count % 6 == 3:
            posting.written()
        self._settled(posting, None)
        if self._count % 6 == 0:
            posting.written()


def test_what_a_device_sends_again_is_in_the_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.ndjson"
    groups = Groups(run_of(tmp_path, load_scenario("mixed"), total=500).run)
    totals = Totals()
    with LedgerFile(path) as ledger, DeviceOutbox(StutteringSender) as outbox:
        Sending(groups, outbox, ledger, totals).run(Pace(None, 500, None), EVER)

    messages = {(e["device"], e["sha256"]) for e in entries(path) if e["e"] == "sent"}
    again = [(e["device"], e["sha256"]) for e in entries(path) if e["e"] == "again"]
    assert set(again) <= messages
    assert len(again) == totals.sent_again >= totals.records // 3


class SlowSender(WaywardSender):
    """Answers one record every millisecond."""

    def send(self, posting: Posting) -> None:
        """Answer after those before."""
        self._count += 1
        loop = asyncio.get_event_loop()
        loop.call_later(self._count * 0.001, self._settled, posting, None)


def test_progress_goes_on_while_a_group_is_not_whole(tmp_path: Path) -> None:
    groups = Groups(run_of(tmp_path, load_scenario("mixed"), total=500).run)
    totals = Totals()
    shown: list[int] = []
    hooks = Hooks(
        lambda due: None, lambda now: shown.append(now.acked + now.underway), lambda: False
    )
    with LedgerFile(tmp_path / "ledger.ndjson") as ledger, DeviceOutbox(SlowSender) as outbox:
        Sending(groups, outbox, ledger, totals).run(Pace(None, 500, None), hooks)

    assert shown == sorted(shown)
    assert len({number for number in shown if 0 < number < totals.acked}) > 10
