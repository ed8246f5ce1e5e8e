"""Silence, several metrics, schedules, scopes, changed rules, and what alerts say."""

from datetime import UTC, datetime

import numpy as np
import pytest

from detection.models.answering import Answering
from detection.rules.evaluator import Evaluator, Outcome
from telemetry.alerts import Alert
from telemetry.errors import HeadwaterError
from telemetry.rules.rule import VersionedRule
from tests.detection.rules.building import (
    MINUTE_US,
    MONDAY_US,
    Row,
    evaluator,
    readings,
    rule,
    told,
)

HOT = {"kind": "threshold", "bound": 90.0}
SILENT = {"kind": "no_data", "lasts": "10 min"}


def at(minutes: float) -> int:
    return MONDAY_US + round(minutes * MINUTE_US)


def spoken(device: str, *minutes: float, metric: str = "m") -> list[Row]:
    return [(device, metric, at(minute), 1.0) for minute in minutes]


def values(*numbers: float, device: str = "d") -> list[Row]:
    return [(device, "m", at(minute), number) for minute, number in enumerate(numbers)]


def silent_rule(**more: object) -> VersionedRule:
    return rule(SILENT, 1, **{"metric": None, **more})


def test_silence_begins_by_the_clock_and_ends_with_a_reading() -> None:
    judging = evaluator(silent_rule())
    judging.take(readings(spoken("a", 0, 5) + spoken("b", 6)), 0)
    assert told(judging.tick(at(15))) == []
    assert told(judging.tick(at(15.5))) == [("a", "firing", at(15))]
    assert told(judging.tick(at(15.6))) == []
    assert told(judging.take(readings(spoken("a", 20)), 0)) == [("a", "resolved", at(20))]
    assert told(judging.tick(at(29))) == [("b", "firing", at(16))]


def test_silence_that_no_tick_saw_is_told_at_the_same_times() -> None:
    rows = spoken("a", 0, 20, 25)
    told_late = told(evaluator(silent_rule()).take(readings(rows), 0))
    judging = evaluator(silent_rule())
    ticked = told(judging.take(readings(rows[:1]), 0)) + told(judging.tick(at(12)))
    ticked += told(judging.take(readings(rows[1:]), 0))
    assert told_late == ticked == [("a", "firing", at(10)), ("a", "resolved", at(20))]


def test_silence_that_ends_with_what_is_no_number_is_told() -> None:
    rows = [*spoken("a", 0), ("a", "m", at(20), float("nan"))]
    outcomes = evaluator(silent_rule()).take(readings(rows), 0)
    assert told(outcomes) == [("a", "firing", at(10)), ("a", "resolved", at(20))]
    assert outcomes[0].alert.evidence == ()


def test_device_that_fell_silent_before_the_rule_was_there_is_told() -> None:
    others = rule(HOT, rule="hot"), rule(HOT, rule="hot_x", metric="x")
    judging = evaluator(*others)
    judging.take(readings(spoken("a", 0, metric="x") + spoken("b", 3) + spoken("a", 2)), 0)
    judging.put([*others, silent_rule(rule="all"), silent_rule(rule="x", metric="x")], at(5))
    assert told(judging.tick(at(11))) == [("a", "firing", at(10))]
    assert told(judging.tick(at(20))) == [("a", "firing", at(12)), ("b", "firing", at(13))]


def test_what_no_rule_looks_at_is_not_remembered() -> None:
    judging = evaluator(rule(HOT, scope={"product": "boiler"}))
    rows = spoken("boiler.a", 0) + spoken("boiler.a", 0, metric="x") + spoken("pump.p", 0)
    judging.take(readings(rows), 0)
    assert [source.series.device for source in judging.roster.sources] == ["boiler.a"]


def test_delayed_reading_ends_a_silence_that_was_none() -> None:
    judging = evaluator(silent_rule())
    judging.take(readings(spoken("a", 0)), 0)
    assert told(judging.tick(at(12))) == [("a", "firing", at(10))]
    assert told(judging.take(readings(spoken("a", 8)), 0)) == [("a", "resolved", at(10))]


def test_silence_of_one_metric_is_no_alarm_while_the_device_is_away() -> None:
    judging = evaluator(silent_rule(metric="m", connected_within="5 min"))
    both = spoken("a", 0) + spoken("b", 0) + spoken("a", 8, metric="x")
    judging.take(readings(both), 0)
    assert told(judging.tick(at(12))) == [("a", "firing", at(10))]
    assert told(judging.tick(at(60))) == []
    # Whenever it is looked for, and though nothing looked for it before the metric came back.
    late, never = (evaluator(silent_rule(metric="m", connected_within="5 min")) for _ in "12")
    late.take(readings(both), 0)
    assert told(late.tick(at(60))) == [("a", "firing", at(10))]
    back = told(never.take(readings(both + spoken("a", 30) + spoken("b", 30)), 0))
    assert back == [("a", "firing", at(10)), ("a", "resolved", at(30))]


def test_device_that_is_connected_again_without_its_metric_is_told_from_then_on() -> None:
    judging = evaluator(silent_rule(metric="m", connected_within="5 min"))
    rows = spoken("a", 0) + spoken("a", 40, 41, metric="x")
    assert told(judging.take(readings(rows), 0)) == [("a", "firing", at(40))]


def test_silence_outside_the_schedule_is_told_when_it_begins() -> None:
    schedule = {"from": "01:00", "to": "02:00"}
    judging = evaluator(silent_rule(schedule=schedule))
    judging.take(readings(spoken("a", 0)), 0)
    assert told(judging.tick(at(59))) == []
    assert told(judging.tick(at(61))) == [("a", "firing", at(60))]


def test_readings_outside_the_schedule_are_not_judged() -> None:
    schedule = {"days": ["mon"], "from": "00:02", "to": "00:04"}
    hot = rule(HOT, schedule=schedule, timezone="UTC")
    found = told(evaluator(hot).take(readings(values(99, 99, 99, 99, 1, 1)), 0))
    assert found == [("d", "firing", at(2))]


def test_schedule_follows_the_clocks_of_its_zone() -> None:
    moment = int(datetime(2026, 7, 6, 6, 30, tzinfo=UTC).timestamp() * 1e6)
    for zone, fires in (("UTC", False), ("Europe/Berlin", True)):
        hot = rule(HOT, schedule={"from": "08:00", "to": "09:00"}, timezone=zone)
        assert bool(evaluator(hot).take(readings([("d", "m", moment, 99.0)]), 0)) is fires


def test_backlog_of_a_device_that_was_away_is_not_judged() -> None:
    hot = rule(HOT, connected_within="10 min")
    delays = [11 * MINUTE_US, 9 * MINUTE_US]
    found = evaluator(hot).take(readings(values(99, 98), delays=delays), 0)
    assert told(found) == [("d", "firing", at(1))]


@pytest.mark.parametrize(
    ("scope", "devices"),
    [
        ({}, ["boiler.a", "boiler.b", "c"]),
        ({"product": "boiler"}, ["boiler.a", "boiler.b"]),
        ({"product": "default"}, ["c"]),
        ({"zone": "north"}, ["boiler.a", "c"]),
        ({"zone": "north", "product": "boiler"}, ["boiler.a"]),
        ({"device": "boiler.b"}, ["boiler.b"]),
    ],
)
def test_rule_watches_its_scope(scope: dict[str, str], devices: list[str]) -> None:
    zones = {"boiler.a": "north", "boiler.b": "south", "c": "north"}
    rows = [(device, "m", at(0), 99.0) for device in zones]
    found = evaluator(rule(HOT, scope=scope)).take(readings(rows, zones=zones), 0)
    assert [device for device, _, _ in told(found)] == devices
    other = evaluator(rule(HOT, scope=scope, tenant="acme"))
    assert other.take(readings(rows, zones=zones), 0) == []


def test_rule_that_goes_off_ends_its_alarms_and_one_that_stays_goes_on() -> None:
    hot, other = rule(HOT, rule="hot"), rule(HOT, rule="other")
    judging = evaluator(hot, other)
    assert len(judging.take(readings(values(99)), 0)) == 2
    over = judging.put([VersionedRule(hot.rule, 1, is_on=False), other], at(1))
    assert told(over) == [("d", "resolved", at(1))]
    assert over[0].alert.rule == "hot"
    assert told(judging.take(readings(values(99, 99)), 0)) == []


def test_changed_bound_goes_on_with_what_was_learnt() -> None:
    drawn = np.random.default_rng(1).normal(5.0, 1.0, 100).tolist()
    judging = evaluator(rule({"kind": "zscore", "deviations": 5.0}, learning={"readings": 50}))
    assert told(judging.take(readings(values(*drawn)), 0)) == []
    closer = {"kind": "zscore", "deviations": 4.0}
    assert judging.put([rule(closer, version=2, learning={"readings": 50})], at(200)) == []
    rows = [("d", "m", at(300), 9.6)]
    (outcome,) = judging.take(readings(rows), 0)
    assert outcome.alert.rule_version == 2
    wider = {"kind": "zscore", "deviations": 4.0, "readings": 20}
    over = judging.put([rule(wider, version=3, learning={"readings": 50})], at(301))
    assert told(over) == [("d", "resolved", at(301))]
    assert told(judging.take(readings([("d", "m", at(302), 99.0)]), 0)) == []


def together(count: int, *, broken_from: int) -> list[Row]:
    """Return a device's messages of two metrics that go together until they do not."""
    drawn = np.random.default_rng(2).normal(size=(count, 2))
    rows: list[Row] = []
    for place, (common, noise) in enumerate(drawn.tolist()):
        side = -1.0 if place >= broken_from else 1.0
        rows += [
            ("d", "a", at(place), 5 * common),
            ("d", "b", at(place), side * 5 * common + noise),
        ]
    return rows


def test_metrics_that_no_longer_go_together_are_an_alarm() -> None:
    check = {"kind": "several", "by": "t2", "rows": 100}
    several = rule(check, metrics=["a", "b"], persistence={"k": 3, "n": 5})
    rows = together(300, broken_from=200)
    whole = evaluator(several).take(readings(rows), 0)
    assert at(200) <= whole[0].found.time <= at(220)
    assert whole[0].alert.metric == "a, b"
    assert "together unlike" in whole[0].alert.text

    judging, parts = evaluator(several), []
    for start in range(0, len(rows), 74):
        parts += judging.take(readings(rows[start : start + 74], first_message=start), 0)
        saved = judging.save()
        judging = Evaluator()
        judging.load(saved)
    assert [one.alert.to_json() for one in parts] == [one.alert.to_json() for one in whole]


def test_model_is_asked_for_whole_messages() -> None:
    check = {"kind": "model", "model": "mills", "version": "0123456789ab", "bound": 5.0}
    asked: list[tuple[str, str]] = []

    def predicts(name: str, version: str) -> Answering:
        asked.append((name, version))
        return Answering(lambda table, _of, _memories: table[:, 1] - table[:, 0])

    judging = Evaluator(predicts)
    judging.put([rule(check, metrics=["a", "b"])], 0)
    rows = [("d", "b", at(0), 9.0), ("d", "a", at(0), 1.0), ("d", "b", at(1), 9.0)]
    (outcome,) = judging.take(readings(rows), 0)
    assert asked == [("mills", "0123456789ab")]
    assert outcome.found.value == 8.0
    without = Evaluator()
    without.put([rule(check, metrics=["a", "b"]), rule(HOT, rule="hot")], 0)
    assert without.refused == {("default", "r"): "rule r: no models are at hand here"}
    assert [kept.rule.name for kept in without.rules] == ["hot"]


def texts(outcomes: list[Outcome]) -> list[str]:
    return [outcome.alert.text for outcome in outcomes]


def test_alert_says_who_where_and_how_grave() -> None:
    hot = rule(HOT, rule="hot", severity="critical")
    rows = values(99.5, device="boiler.b1")
    (outcome,) = evaluator(hot).take(readings(rows, zones={"boiler.b1": "north"}), 7)
    alert = Alert.from_json(outcome.alert.to_json())
    assert (alert.rule, alert.rule_version, alert.severity) == ("hot", 1, "critical")
    assert (alert.device, alert.product, alert.zone) == ("boiler.b1", "boiler", "north")
    assert (alert.customer, alert.metric, alert.detected_at) == ("c1", "m", 7)


def test_evidence_is_the_hour_before_in_five_minutes() -> None:
    rows = [("d", "m", at(minute), float(minute)) for minute in range(0, 91)]
    climb = rule({"kind": "threshold", "bound": 89.5})
    judging, outcomes = evaluator(climb), []
    for start in range(0, len(rows), 13):
        outcomes += judging.take(readings(rows[start : start + 13]), 0)
    (outcome,) = outcomes
    expected = [(at(start), start + 2.0) for start in range(30, 90, 5)]
    assert list(outcome.alert.evidence) == [*expected, (at(90), 90.0)]


@pytest.mark.parametrize(
    ("check", "numbers", "text"),
    [
        (HOT, [99.5, 1], "m of d is 99.5, above 90"),
        ({"kind": "range", "low": 1, "high": 2}, [0.5], "m of d is 0.5, below 1"),
        ({"kind": "rate", "bound": 5}, [1, 9], "m of d rises by 8 in 1 min, more than 5"),
        ({"kind": "stuck", "lasts": "2 min"}, [7, 7, 7],
         "m of d has not changed for 2 min, allowed are 2 min"),
        ({"kind": "mad", "readings": 5, "deviations": 4}, [1, 2, 3, 4, 5, 20],
         "m of d is 20, above 8.9304: 11.5 deviations from the usual 3 median"),
    ],
)  # fmt: skip
def test_sentences(check: dict[str, object], numbers: list[float], text: str) -> None:
    outcomes = evaluator(rule(check)).take(readings(values(*numbers)), 0)
    assert texts(outcomes)[0] == text


def test_sentence_of_the_end_says_how_long_it_lasted() -> None:
    outcomes = evaluator(rule(HOT, rule="hot")).take(readings(values(99, 99, 99, 50)), 0)
    assert texts(outcomes)[1] == "m of d: hot is over after 3 min, now 50"
    assert outcomes[0].alert.id != outcomes[1].alert.id
    assert outcomes[0].alert.score == pytest.approx(1.1 / 2.1)


def test_numbers_that_are_none_leave_no_trace() -> None:
    rows = values(1, float("nan"), float("inf"), 1e200, 99)
    assert told(evaluator(rule(HOT)).take(readings(rows), 0)) == [("d", "firing", at(4))]


def test_state_of_something_else_is_refused() -> None:
    with pytest.raises(HeadwaterError, match="no state of rules"):
        Evaluator().load(b"PK rubbish")
