"""The service's clock goes back: nothing is lost or told twice, and no wait becomes longer."""

from datetime import timedelta
from pathlib import Path

import pytest

from services.alerts.matching import match_of
from services.alerts.silences import Silence
from services.alerts.trail import person_trail
from telemetry.alerts import Severity
from tests.services import postgresql
from tests.services.alert_parts import AWAY, HOUR, MINUTE, OK, SECOND, Desk, alert

HUB = """
receivers:
  hub: {kind: webhook, url: "http://127.0.0.1/hub"}
  boss: {kind: webhook, url: "http://127.0.0.1/boss"}
route: {to: [hub], group_by: [rule], escalate: [{after: 15 min, to: [boss]}]}
"""
ANN = """
receivers:
  mail: {kind: webhook, url: "http://127.0.0.1/mail"}
people:
  ann: {receivers: {mail: info}}
route: {to: [ann], group_by: [alert]}
"""
BACK = [3 * MINUTE, HOUR, 30 * HOUR]
back = pytest.mark.parametrize("by", BACK, ids=["minutes", "hour", "day"])


def put_back(desk: Desk, by: timedelta) -> None:
    """Put the clock back; the service's clockwork goes on half a second later."""
    desk.time += SECOND / 2 - by
    desk.engine.tick()


@back
def test_a_new_group_waits_no_longer(tmp_path: Path, by: timedelta) -> None:
    desk = Desk(tmp_path, HUB)
    desk.take(alert("pump.p1"))
    desk.turn(10 * SECOND)

    put_back(desk, by)
    desk.turn(22 * SECOND)

    assert desk.listed("hub") == [[("pump.p1", "firing")]]
    desk.turn(14 * MINUTE, step=30 * SECOND)
    assert len(desk.got("hub")) == 1


@back
def test_a_known_group_is_told_in_its_interval(tmp_path: Path, by: timedelta) -> None:
    desk = Desk(tmp_path, HUB)
    desk.take(alert("pump.p1"))
    desk.turn(MINUTE, step=5 * SECOND)

    put_back(desk, by)
    desk.take(alert("pump.p2", 60))
    desk.turn(5 * MINUTE, step=10 * SECOND)

    assert desk.listed("hub") == [[("pump.p1", "firing")], [("pump.p2", "firing")]]


@back
@pytest.mark.parametrize("severity", ["warning", "critical"])
def test_what_is_queued_is_delivered_at_once(
    tmp_path: Path, by: timedelta, severity: Severity
) -> None:
    desk = Desk(tmp_path, HUB)
    desk.take(alert("pump.p1", severity=severity))
    desk.time += 31 * SECOND
    desk.engine.tick()
    assert desk.got("hub") == []

    put_back(desk, by)
    desk.deliver()

    assert desk.listed("hub") == [[("pump.p1", "firing")]]


@back
def test_a_sink_that_was_away_is_tried_as_soon(tmp_path: Path, by: timedelta) -> None:
    desk = Desk(tmp_path, HUB)
    desk.sinks["hub"].answer = AWAY
    desk.take(alert("pump.p1", severity="critical"), alert("pump.p2", severity="critical"))
    desk.turn(2 * MINUTE, step=5 * SECOND)

    put_back(desk, by)
    desk.sinks["hub"].answer = OK
    desk.turn(35 * SECOND)

    assert [len(one) for one in desk.listed("hub")] == [2]


@back
def test_an_escalation_comes_as_soon_and_no_sooner(tmp_path: Path, by: timedelta) -> None:
    desk = Desk(tmp_path, HUB)
    desk.take(alert("pump.p1"))
    desk.turn(10 * MINUTE, step=30 * SECOND)

    put_back(desk, by)
    desk.turn(4 * MINUTE, step=10 * SECOND)
    assert desk.got("boss") == []
    desk.turn(70 * SECOND, step=5 * SECOND)

    assert len(desk.got("boss")) == 1


@pytest.mark.parametrize("by", BACK[:2])
def test_what_is_open_is_repeated_once(tmp_path: Path, by: timedelta) -> None:
    desk = Desk(tmp_path, HUB)
    desk.take(alert("pump.p1"))
    desk.turn(MINUTE, step=30 * SECOND)
    desk.turn(2 * HOUR - MINUTE, step=10 * MINUTE)

    put_back(desk, by)
    desk.turn(2 * HOUR + by + 6 * MINUTE, step=MINUTE)

    assert [one.content["kind"] for one in desk.got("hub")] == ["alerts", "repeat"]


@back
def test_a_digest_comes_as_soon_within_the_persons_limit(tmp_path: Path, by: timedelta) -> None:
    desk = Desk(tmp_path, ANN)
    for second in range(20):
        desk.take(*(alert(f"pump.p{second}-{n}", second, severity="critical") for n in range(3)))
        desk.turn(SECOND)
    before = desk.counts("mail")
    assert sum(before) < 60

    put_back(desk, by)
    desk.turn(65 * SECOND)

    assert sum(desk.counts("mail")) == 60
    assert len(desk.counts("mail")) == len(before) + 1
    with desk.engine.turns.reading() as connection:
        steps = [one.step for one in person_trail(connection, "default", "ann").steps]
    assert steps.count("told") + steps.count("digest") == 60


@back
def test_a_persons_limit_is_held_and_ends_as_soon(tmp_path: Path, by: timedelta) -> None:
    desk = Desk(tmp_path, ANN)
    desk.take(*(alert(f"pump.p{n}", severity="critical") for n in range(3)))
    desk.deliver()
    assert desk.counts("mail") == [1, 1, 1]

    put_back(desk, by)
    desk.take(alert("pump.q1", 1, severity="critical"))
    desk.deliver()
    assert len(desk.got("mail")) == 3
    desk.turn(10 * MINUTE, step=15 * SECOND)
    desk.take(alert("pump.q2", 600, severity="critical"))
    desk.deliver()

    assert sum(desk.counts("mail")) == 5


@back
def test_a_service_that_was_down_meanwhile_goes_on(tmp_path: Path, by: timedelta) -> None:
    desk = Desk(tmp_path, HUB)
    desk.take(alert("pump.p1"))
    desk.turn(65 * SECOND, step=5 * SECOND)
    desk.take(alert("pump.p2", 60))

    again = Desk(tmp_path, HUB)
    again.time = desk.time - by
    again.engine.tick()
    again.turn(6 * MINUTE, step=15 * SECOND)
    once_more = Desk(tmp_path, HUB)
    once_more.time = again.time
    once_more.turn(6 * MINUTE, step=15 * SECOND)

    assert again.listed("hub") == [[("pump.p2", "firing")]]
    assert once_more.got("hub") == []


def test_times_are_taken_back_in_postgresql_too(tmp_path: Path, postgresql_socket: Path) -> None:
    desk = Desk(tmp_path, HUB, url=postgresql.fresh_database(postgresql_socket))
    desk.take(alert("pump.p1"), alert("pump.p2", rule="loud", severity="critical"))
    desk.turn(10 * SECOND)

    put_back(desk, HOUR)
    desk.turn(22 * SECOND)

    assert desk.listed("hub") == [[("pump.p2", "firing")], [("pump.p1", "firing")]]
    desk.database.dispose()


@back
def test_the_same_record_is_the_same_still(tmp_path: Path, by: timedelta) -> None:
    desk, told = Desk(tmp_path, HUB), alert("pump.p1", severity="critical")
    desk.take(told)
    desk.deliver()

    put_back(desk, by)
    desk.take(told)
    desk.take(alert("pump.p1", 5, state="resolved"))
    desk.turn(6 * MINUTE, step=15 * SECOND)

    assert desk.listed("hub") == [[("pump.p1", "firing")], [("pump.p1", "resolved")]]


def test_a_silence_that_somebody_ended_stays_ended(tmp_path: Path) -> None:
    desk = Desk(tmp_path, HUB)
    asked = Silence("", "default", match_of({"rule": "hot"}), "key:bob", "works", desk.time,
                    desk.time + HOUR)  # fmt: skip
    made = desk.engine.silence(asked)
    desk.turn(10 * MINUTE, step=MINUTE)
    desk.engine.end_silence("default", made.silence_id, "key:bob")

    put_back(desk, 5 * MINUTE)
    desk.take(alert("pump.p1", severity="critical"))
    desk.deliver()

    assert desk.listed("hub") == [[("pump.p1", "firing")]]
