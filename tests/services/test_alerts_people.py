"""What a person is told: few messages, a digest that adds up, no word in quiet hours."""

from collections import Counter
from pathlib import Path

import pytest

from services.alerts.trail import person_trail
from telemetry.alerts import Severity
from tests.services.alert_parts import MINUTE, SECOND, Desk, alert, at, configured

ANN = """
receivers:
  mail: {kind: webhook, url: "http://127.0.0.1/mail"}
people:
  ann: {receivers: {mail: info}}
route: {to: [ann], group_by: [alert]}
"""


@pytest.mark.parametrize("severity", ["warning", "critical"])
def test_a_person_gets_few_messages_and_a_digest_that_adds_up(
    tmp_path: Path, severity: Severity
) -> None:
    desk = Desk(tmp_path, ANN)

    for second in range(60):
        desk.take(*(alert(f"pump.p{second}-{n}", second, severity=severity) for n in range(5)))
        desk.turn(SECOND)
    desk.turn(9 * MINUTE, step=15 * SECOND)

    assert len(desk.counts("mail")) <= 5
    assert sum(desk.counts("mail")) == 300
    assert desk.got("mail")[-1].content["kind"] == "digest"
    with desk.engine.turns.reading() as connection:
        found = Counter(step.step for step in person_trail(connection, "default", "ann").steps)
    assert found["digest"] + found["told"] == 300


def test_quiet_hours_hold_all_but_what_is_critical(tmp_path: Path) -> None:
    text = (
        ANN.replace("{mail: info}}", "{mail: info}, mute: [lunch]}")
        + """
mute_times: {lunch: {from: "12:00", to: "13:00"}}
"""
    )
    desk = Desk(tmp_path, text)
    desk.take(alert("pump.p1"), alert("pump.p2", severity="critical"))
    desk.turn(59 * MINUTE, step=15 * SECOND)
    assert desk.listed("mail") == [[("pump.p2", "firing")]]

    desk.turn(3 * MINUTE, step=15 * SECOND)

    assert desk.listed("mail")[1:] == [[("pump.p1", "firing")]]


def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path, ANN)
    desk.take(*(alert(f"pump.p{n}", severity="critical") for n in range(3)))
    desk.deliver()
    again = Desk(tmp_path, ANN)
    again.time = at(20)

    again.take(*(alert(f"pump.p{n}", severity="critical") for n in range(3, 13)))
    again.turn(5 * MINUTE)

    assert sum(desk.counts("mail")) + sum(again.counts("mail")) == 13
    assert len(desk.got("mail")) + len(again.got("mail")) <= 5


def test_what_was_held_of_a_tenant_that_a_person_is_none_of_any_more_is_not_told(
    tmp_path: Path,
) -> None:
    both = ANN.replace("{mail: info}}", "{mail: info}, tenants: [default, acme], mute: [lunch]}")
    both += 'mute_times: {lunch: {from: "12:00", to: "13:00"}}\n'
    both = both.replace('mail"}', 'mail", tenants: ["*"]}')
    desk = Desk(tmp_path, both)
    desk.take(alert("pump.p1"), alert("pump.q1", tenant="acme"))
    desk.turn(MINUTE)

    desk.engine.configure(configured(both.replace("[default, acme]", "[default]")))
    desk.turn(63 * MINUTE, step=15 * SECOND)

    assert desk.listed("mail") == [[("pump.p1", "firing")]]
    with desk.engine.turns.reading() as connection:
        found = [step.step for step in person_trail(connection, "acme", "ann").steps]
    assert found == ["held", "foreign"]


def test_a_test_of_a_team_reaches_those_of_the_tenant_alone(tmp_path: Path) -> None:
    eve = "{mail: info}}\n  eve: {receivers: {mail: info}, tenants: [acme]}\n"
    desk = Desk(tmp_path, ANN.replace("{mail: info}}\n", eve) + "teams: {shift: [ann, eve]}\n")

    keys = desk.engine.test("default", "shift")

    assert len(keys) == 1
    assert [tenant for (tenant,) in desk.messages("tenant")] == ["default"]
