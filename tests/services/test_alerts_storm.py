"""A storm: up to ten thousand alerts within a minute, at the times of the shipped defaults."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from services.alerts.publishing import publish
from services.alerts.tables import TRAIL
from telemetry.alerts import Severity
from telemetry.alerts_history import AlertLife
from tests.services.alert_parts import MINUTE, SECOND, Desk, alert

SECONDS, CRITICAL_EVERY = 60, 100
FILE = """
receivers:
  hub: {kind: webhook, url: "http://127.0.0.1/hub"}
  mail: {kind: webhook, url: "http://127.0.0.1/mail"}
people:
  ann: {receivers: {mail: info}}
route: {to: [ann], routes: [{match: {severity: critical}, to: [hub, ann]}]}
"""


class Topic:
    """Takes the history."""

    def __init__(self) -> None:
        self.told: list[AlertLife] = []

    def take(self, records: Sequence[tuple[bytes, bytes]]) -> None:
        self.told += [AlertLife.from_json(value) for _, value in records]


@pytest.mark.parametrize("count", [2_000, pytest.param(10_000, marks=pytest.mark.long)])
def test_a_storm_is_few_messages_whose_counts_are_all_alerts(tmp_path: Path, count: int) -> None:
    desk, topic = Desk(tmp_path, FILE), Topic()
    for second in range(SECONDS):
        storm = []
        for number in range(second * count // SECONDS, (second + 1) * count // SECONDS):
            severity: Severity = "critical" if number % CRITICAL_EVERY == 0 else "warning"
            zone, rule = f"hall{number % 7}", f"rule{number % 3}"
            storm.append(alert(f"pump.p{number}", second, severity=severity, zone=zone, rule=rule))
        desk.take(*storm)
        desk.turn(SECOND)
    while publish(desk.engine.turns, topic):
        pass
    desk.turn(12 * MINUTE, step=15 * SECOND)

    mail: list[Any] = [one.content for one in desk.got("mail")]
    assert len(mail) <= 5
    assert sum(one["counts"]["alerts"] for one in mail) == count
    for one in mail:
        for split in ("by_word", "by_severity", "by_rule", "by_zone"):
            assert sum(one["counts"][split].values()) == one["counts"]["alerts"]
    severities = Counter[str]()
    for one in mail:
        severities.update(one["counts"]["by_severity"])
    assert severities == {"critical": count // CRITICAL_EVERY, "warning": count * 99 // 100}
    hub: list[Any] = [one.content for one in desk.got("hub")]
    assert sum(one["counts"]["alerts"] for one in hub) == count // CRITICAL_EVERY
    assert len({one.alert_id for one in topic.told}) == count
    with desk.database.connect() as connection:
        of_ann = select(TRAIL.c.step, func.count()).where(TRAIL.c.person == "ann")
        steps = {step: count for step, count in connection.execute(of_ann.group_by(TRAIL.c.step))}
    assert steps["told"] + steps["digest"] == count
    assert steps["limited"] == steps["digest"]
