"""The service's decisions over a real database and a clock of the test's."""

from pathlib import Path

from services.alerts.matching import match_of
from services.alerts.silences import Silence
from services.alerts.trail import alert_trail
from telemetry.alerts import State
from tests.services.alert_parts import AWAY, HOUR, MINUTE, OK, SECOND, Desk, alert, configured

HUB = """
receivers:
  hub: {kind: webhook, url: "http://127.0.0.1/hub"}
route: {to: [hub], group_by: [rule]}
"""
MINUTE_LONG: tuple[tuple[int, State], ...] = ((0, "firing"), (60, "resolved"))


def steps(desk: Desk, alert_id: str) -> list[str]:
    with desk.engine.turns.reading() as connection:
        return [step.step for step in alert_trail(connection, "default", alert_id).steps]


def test_a_group_waits_for_its_others(tmp_path: Path) -> None:
    desk = Desk(tmp_path, HUB)

    desk.take(alert("pump.p1"))
    desk.turn(20 * SECOND)
    desk.take(alert("pump.p2"))
    assert desk.got("hub") == []
    desk.turn(11 * SECOND)

    assert desk.listed("hub") == [[("pump.p1", "firing"), ("pump.p2", "firing")]]


def test_what_is_critical_does_not_wait(tmp_path: Path) -> None:
    desk = Desk(tmp_path, HUB)

    desk.take(alert("pump.p1"), alert("pump.p2", severity="critical"))
    desk.deliver()

    assert desk.listed("hub") == [[("pump.p2", "firing")]]
    desk.turn(31 * SECOND)
    assert desk.listed("hub")[1:] == [[("pump.p1", "firing")]]


def test_the_same_record_again_changes_nothing(tmp_path: Path) -> None:
    desk, told = Desk(tmp_path, HUB), alert("pump.p1")

    desk.take(told, told)
    desk.take(told)

    assert [one.records for one in desk.lives()] == [1]


def test_one_alert_a_device_and_rule(tmp_path: Path) -> None:
    desk = Desk(tmp_path, HUB)

    desk.take(*(alert("pump.p1", second) for second in range(10)))
    desk.turn(HOUR, step=MINUTE)

    assert [one.records for one in desk.lives()] == [10]
    assert desk.counts("hub") == [1]


def test_what_is_over_is_told_with_the_next_look(tmp_path: Path) -> None:
    desk = Desk(tmp_path, HUB)
    desk.take(alert("pump.p1"))
    desk.turn(MINUTE)

    desk.take(alert("pump.p1", 60, state="resolved"))
    desk.turn(5 * MINUTE)

    assert desk.listed("hub") == [[("pump.p1", "firing")], [("pump.p1", "resolved")]]


def test_what_nobody_takes_on_is_told_again_after_the_repeat(tmp_path: Path) -> None:
    desk = Desk(tmp_path, HUB)
    desk.take(alert("pump.p1"), alert("pump.p2"))
    desk.turn(MINUTE)
    taken = next(one for one in desk.lives() if one.device == "pump.p2")

    desk.engine.acknowledge("default", taken.alert_id, "key:ann")
    desk.turn(4 * HOUR + 10 * MINUTE, step=MINUTE)

    assert desk.listed("hub")[1:] == [[("pump.p1", "firing")]]
    assert desk.got("hub")[1].content["kind"] == "repeat"


def test_a_silence_holds_until_it_ends(tmp_path: Path) -> None:
    desk = Desk(tmp_path, HUB)
    match = match_of({"device": "pump.*"})
    asked = Silence("", "default", match, "key:bob", "works", desk.time, desk.time + HOUR)
    made = desk.engine.silence(asked)

    desk.take(alert("pump.p1", severity="critical"), alert("fan.f1"))
    desk.turn(10 * MINUTE, step=15 * SECOND)
    assert desk.listed("hub") == [[("fan.f1", "firing")]]
    held = next(one for one in desk.lives() if one.device == "pump.p1")
    assert "silenced" in steps(desk, held.alert_id)
    desk.engine.end_silence("default", made.silence_id, "key:bob")
    desk.turn(6 * MINUTE, step=15 * SECOND)

    assert desk.listed("hub")[1:] == [[("pump.p1", "firing")]]


def test_what_was_over_while_it_was_silenced_is_not_told(tmp_path: Path) -> None:
    desk = Desk(tmp_path, HUB)
    match = match_of({"rule": "hot"})
    desk.engine.silence(
        Silence("", "default", match, "key:bob", "works", desk.time, desk.time + HOUR)
    )

    desk.take(alert("pump.p1"))
    desk.turn(10 * MINUTE, step=15 * SECOND)
    desk.take(alert("pump.p1", 600, state="resolved"))
    desk.turn(2 * HOUR, step=MINUTE)

    assert desk.got("hub") == []
    assert steps(desk, desk.lives()[0].alert_id)[-1] == "dropped"


def test_an_open_alert_that_explains_others_holds_them_back(tmp_path: Path) -> None:
    text = (
        HUB
        + """
inhibit:
  - {name: gateway, source: {rule: gateway_down}, target: {rule: stale}, equal: [zone]}
"""
    )
    desk = Desk(tmp_path, text)
    desk.take(alert(None, rule="gateway_down", severity="critical"))
    desk.take(alert("pump.p1", 1, rule="stale"), alert("pump.p2", 1, rule="stale", zone="yard"))
    desk.turn(10 * MINUTE, step=15 * SECOND)

    assert desk.listed("hub") == [[(None, "firing")], [("pump.p2", "firing")]]
    held = next(one for one in desk.lives() if one.device == "pump.p1")
    assert "inhibited" in steps(desk, held.alert_id)


def test_a_graver_alert_is_told_at_once_and_must_be_taken_on_again(tmp_path: Path) -> None:
    desk = Desk(tmp_path, HUB)
    desk.take(alert("pump.p1"))
    desk.turn(MINUTE)
    desk.engine.acknowledge("default", desk.lives()[0].alert_id, "key:ann")

    desk.take(alert("pump.p1", 60, severity="critical"))
    desk.deliver()

    assert desk.counts("hub") == [1, 1]
    assert desk.lives()[0].phase == "open"


def test_an_alert_nobody_takes_on_is_escalated_step_by_step(tmp_path: Path) -> None:
    text = """
receivers:
  hub: {kind: webhook, url: "http://127.0.0.1/hub"}
  boss: {kind: webhook, url: "http://127.0.0.1/boss"}
  chief: {kind: webhook, url: "http://127.0.0.1/chief"}
route:
  to: [hub]
  escalate: [{after: 10 min, to: [boss]}, {after: 20 min, to: [chief]}]
"""
    desk = Desk(tmp_path, text)
    desk.take(alert("pump.p1", severity="critical"))
    desk.turn(11 * MINUTE, step=15 * SECOND)
    assert [one.content["kind"] for one in desk.got("boss")] == ["escalation"]

    desk.engine.acknowledge("default", desk.lives()[0].alert_id, "key:ann")
    desk.turn(20 * MINUTE, step=15 * SECOND)
    assert desk.got("chief") == []
    desk.take(alert("pump.p1", 1860, state="resolved"))
    desk.turn(6 * MINUTE, step=15 * SECOND)

    assert desk.listed("boss")[1:] == [[("pump.p1", "resolved")]]


def test_flapping_is_told_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path, HUB.replace("group_by: [rule]", "group_by: [rule], group_interval: 10 s"))
    for number in range(20):
        state: State = "resolved" if number % 2 else "firing"
        desk.take(alert("pump.p1", number * 20, state=state))
        desk.turn(20 * SECOND)

    words = [one for told in desk.listed("hub") for one in told]
    assert len(words) <= 5
    assert words[-1] == ("pump.p1", "flapping")
    desk.turn(15 * MINUTE, step=15 * SECOND)

    assert desk.listed("hub")[-1] == [("pump.p1", "resolved")]
    assert len(desk.lives()) == 1


def test_an_alert_that_nobody_speaks_of_ends_by_itself(tmp_path: Path) -> None:
    desk = Desk(tmp_path, HUB)
    desk.take(alert("pump.p1"))

    desk.turn(25 * HOUR, step=10 * MINUTE)

    assert [(one.phase, one.resolved_by) for one in desk.lives()] == [("resolved", "time")]


def test_nobody_hears_of_another_tenant(tmp_path: Path) -> None:
    desk = Desk(tmp_path, HUB)

    desk.take(alert("pump.p1", tenant="other", severity="critical"))
    desk.turn(MINUTE)

    assert desk.got("hub") == []
    with desk.engine.turns.reading() as connection:
        found = [
            step.step for step in alert_trail(connection, "other", desk.lives()[0].alert_id).steps
        ]
    assert found == ["received", "routed", "foreign"]


def test_after_a_sink_was_away_all_is_delivered_in_each_devices_order(tmp_path: Path) -> None:
    at_once = "group_by: [alert], group_wait: 0 s, group_interval: 1 s"
    text = HUB.replace("group_by: [rule]", at_once)
    desk = Desk(tmp_path, text)
    desk.sinks["hub"].answer = AWAY
    for minute in range(10):
        for number in range(3):
            state: State = "resolved" if minute % 2 else "firing"
            desk.take(alert(f"pump.p{number}", minute * 360, state=state))
        desk.turn(MINUTE)
    keys = {key for (key,) in desk.messages("key")}
    assert desk.got("hub") == []

    desk.sinks["hub"].answer = OK
    desk.turn(2 * MINUTE)

    assert {one.key for one in desk.got("hub")} == keys
    assert len(desk.got("hub")) == len(keys)
    for number in range(3):
        words = [
            word for told in desk.listed("hub") for name, word in told if name == f"pump.p{number}"
        ]
        assert words == ["firing", "resolved"] * 5


def test_a_new_configuration_finds_new_routes_for_what_is_open(tmp_path: Path) -> None:
    desk = Desk(tmp_path, HUB + "# first\n")
    desk.take(alert("pump.p1"))
    desk.turn(MINUTE)
    other = HUB.replace("hub", "other").replace("group_by: [rule]", "group_by: [zone]")
    desk.sinks["other"] = type(desk.sinks["hub"])()

    desk.engine.configure(configured(other))
    desk.turn(MINUTE)

    assert desk.listed("other") == [[("pump.p1", "firing")]]


def test_a_backlog_tells_each_alert_that_came_and_went_in_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path, HUB)
    backlog = [
        alert("pump.p1", hour * 3600 + second, state=state)
        for hour in range(3)
        for second, state in MINUTE_LONG
    ]

    desk.turn(3 * HOUR, step=HOUR)
    desk.take(*backlog)
    desk.turn(MINUTE)

    assert desk.counts("hub") == [3]
    assert [one.phase for one in desk.lives()] == ["resolved"] * 3
    assert sum(one.is_current for one in desk.lives()) == 1


def test_an_older_alert_that_calms_down_does_not_become_the_newest(tmp_path: Path) -> None:
    desk = Desk(tmp_path, HUB)
    for number in range(6):
        state: State = "resolved" if number % 2 else "firing"
        desk.take(alert("pump.p1", number * 10, state=state))
    desk.take(alert("pump.p1", 400))
    first, second = sorted(desk.lives(), key=lambda one: one.opened_at)

    desk.turn(20 * MINUTE, step=10 * SECOND)
    desk.take(alert("pump.p1", 1200))

    assert first.is_flapping
    newest = {one.alert_id: one for one in desk.lives()}
    assert not newest[first.alert_id].is_flapping
    assert (newest[first.alert_id].is_current, newest[second.alert_id].records) == (False, 2)
