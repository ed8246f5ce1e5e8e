"""A whole fleet breaches at once: 100,000 records within 10 s, taken as the topic's reader does."""

import logging
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from services.alerts.consuming import AT_ONCE, take_records
from services.alerts.publishing import publish
from services.alerts.tables import ALERTS, RECORDS
from telemetry.alerts import Alert
from tests.services.alert_parts import MINUTE, SECOND, Desk, alert
from tests.services.test_alerts_storm import FILE, Topic

log = logging.getLogger(__name__)
RATE, CRITICAL_EVERY = 10_000, 100


@dataclass(frozen=True, slots=True)
class Record:
    """A record of the topic."""

    alert: Alert

    def topic(self) -> str:
        return "alerts"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 0

    def value(self) -> bytes:
        return self.alert.to_json()


def breaches(count: int) -> list[Record]:
    """Return breaches in their order: nine devices in ten breach once, one in ten twice."""
    devices = count * 9 // 10
    return [Record(_breach(number % devices, number / RATE)) for number in range(count)]


def _breach(device: int, second: float) -> Alert:
    severity = "critical" if device % CRITICAL_EVERY == 0 else "warning"
    places: dict[str, Any] = {"severity": severity, "zone": f"z{device % 7}"}
    return alert(f"meter.m{device}", second, rule=f"rule{device % 3}", **places)


def batches(records: list[Record]) -> Iterator[list[Record]]:
    for begin in range(0, len(records), AT_ONCE):
        yield records[begin : begin + AT_ONCE]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("count", [4_000, pytest.param(100_000, marks=pytest.mark.long)])
def test_each_breach_counts_once_and_a_person_gets_few_messages(tmp_path: Path, count: int) -> None:
    desk, topic, records = Desk(tmp_path, FILE), Topic(), breaches(count)
    alerts, began, began_cpu = count * 9 // 10, time.monotonic(), time.process_time()
    a_second = min(count, RATE) // AT_ONCE
    for number, batch in enumerate(batches(records), 1):
        take_records(desk.engine, batch)
        if number % a_second == 0:
            # A second is over; and Kafka hands out again what was not committed.
            desk.turn(SECOND)
            take_records(desk.engine, batch)
    taken_s, taken_cpu_s = time.monotonic() - began, time.process_time() - began_cpu
    while publish(desk.engine.turns, topic):
        pass
    published_s = time.monotonic() - began
    desk.turn(12 * MINUTE, step=15 * SECOND)
    whole_s = time.monotonic() - began
    whole_cpu_s = time.process_time() - began_cpu
    log.info("taken in %.1f s (CPU %.1f s), published by %.1f s, told by %.1f s (CPU %.1f s)",
             taken_s, taken_cpu_s, published_s, whole_s, whole_cpu_s)  # fmt: skip

    with desk.database.connect() as connection:
        taken = connection.execute(select(func.count(), func.sum(ALERTS.c.records))).one()
        known = connection.execute(select(func.count()).select_from(RECORDS)).scalar()
    assert (*taken, known) == (alerts, count, count)
    assert {one.alert_id for one in topic.told} == {one.alert.id for one in records[:alerts]}
    mail: list[Any] = [one.content for one in desk.got("mail")]
    assert len(mail) <= 5
    assert sum(one["counts"]["alerts"] for one in mail) == alerts
    severities = Counter[str]()
    for one in mail:
        severities.update(one["counts"]["by_severity"])
    critical = -(-alerts // CRITICAL_EVERY)
    assert severities == {"critical": critical, "warning": alerts - critical}
    hub: list[Any] = [one.content for one in desk.got("hub")]
    assert sum(one["counts"]["alerts"] for one in hub) == critical
