"""The life of an alert, against the newest word on each of its metrics."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.alerts.configuration import Timing
from services.alerts.life import (
    Life,
    Step,
    acknowledged,
    dedup_key,
    passed,
    received,
    resolved,
)
from telemetry.alerts import SEVERITIES, Alert, Severity, State
from tests.services.alert_parts import HOUR, NOON, SECOND, alert, at, life
from tests.services.alert_strategies import severities

TIMING = Timing()
FEW = settings(max_examples=30, deadline=None)


def steps(alerts: Sequence[Alert], timing: Timing = TIMING) -> list[Step]:
    found: list[Step] = []
    known: Life | None = None
    for number, one in enumerate(alerts):
        step = received(known, one, timing, NOON + number * SECOND)
        known = step.life or known
        found.append(step)
    return found


def test_an_alert_is_opened_repeated_and_resolved() -> None:
    told = [alert(seconds=0), alert(seconds=60), alert(seconds=120, state="resolved")]

    found = steps(told)

    assert [step.event for step in found] == ["opened", "repeated", "resolved"]
    assert found[-1].life
    assert found[-1].life.alert_id == told[0].id
    assert found[-1].life.records == 3


def test_firing_again_within_the_dedup_time_is_the_same_alert_and_later_another() -> None:
    over = [alert(seconds=0), alert(seconds=60, state="resolved")]

    soon, late = steps([*over, alert(seconds=360)]), steps([*over, alert(seconds=361)])

    assert [soon[-1].event, late[-1].event] == ["reopened", "opened"]
    assert soon[-1].life
    assert soon[-1].life.alert_id == over[0].id
    assert late[-1].life
    assert late[-1].life.alert_id != over[0].id


def test_several_metrics_of_a_rule_are_one_alert_that_ends_with_the_last() -> None:
    found = steps(
        [
            alert(seconds=0, metric="celsius"),
            alert(seconds=1, metric="bar", severity="critical"),
            alert(seconds=2, metric="bar", state="resolved", severity="critical"),
            alert(seconds=3, metric="celsius", state="resolved"),
        ]
    )

    assert [step.event for step in found] == ["opened", "escalated", "de-escalated", "resolved"]


def test_an_older_word_on_a_metric_changes_nothing() -> None:
    found = steps([alert(seconds=60), alert(seconds=30, state="resolved")])

    assert found[-1].event == "late"
    assert found[-1].life
    assert found[-1].life.phase == "open"


def test_a_word_of_times_to_come_does_not_outweigh_all_until_then() -> None:
    year = 365 * 86_400
    ahead = alert(seconds=year)

    opened = received(None, ahead, TIMING, at(0)).life
    over = received(opened, alert(seconds=30, state="resolved"), TIMING, at(30))
    again = received(over.life, alert(seconds=3 * 3600), TIMING, at(3 * 3600))
    graver = received(again.life, replace(ahead, severity="critical"), TIMING, at(3 * 3600 + 5))

    assert opened
    assert opened.opened_at == at(0)
    assert [step.event for step in (over, again, graver)] == ["resolved", "opened", "escalated"]
    late = received(graver.life, alert(seconds=3 * 3600 + 9, state="resolved"), TIMING, at(9e6))
    assert late.event == "resolved"


def test_what_devices_may_be_ahead_is_left_as_it_is() -> None:
    opened = received(None, alert(seconds=60), TIMING, at(0)).life

    assert opened
    assert opened.opened_at == at(60)


def test_what_nobody_knows_of_cannot_be_over() -> None:
    assert steps([alert(state="resolved")]) == [Step("unmatched", None)]


def test_an_alert_is_over_at_the_time_of_its_last_word_and_never_before_it_began() -> None:
    backlog = steps([alert(seconds=0), alert(seconds=60, state="resolved")])[-1].life
    ahead = steps([alert(seconds=60)])[-1].life

    assert backlog
    assert ahead
    assert backlog.resolved_at == at(60)
    assert resolved(ahead, "ann", at(5)).resolved_at == at(60)


def test_a_graver_word_opens_what_somebody_had_taken_on() -> None:
    opened = steps([alert()])[0].life
    assert opened
    taken = acknowledged(opened, "ann", at(10))
    assert (taken.phase, taken.acknowledged_by) == ("acknowledged", "ann")

    graver = received(taken, alert(seconds=20, severity="critical"), TIMING, at(20)).life

    assert graver
    assert (graver.phase, graver.acknowledged_by) == ("open", None)


@FEW
@given(
    told=st.lists(
        st.tuples(
            st.integers(0, 1200),
            st.sampled_from(["firing", "resolved"]),
            severities,
            st.sampled_from([None, "celsius", "bar"]),
        ),
        max_size=12,
    )
)
def test_a_life_follows_the_newest_word_on_each_metric(
    told: list[tuple[int, State, Severity, str | None]],
) -> None:
    never = replace(TIMING, dedup=timedelta(days=9))
    alerts = [
        alert(seconds=second, state=state, severity=severity, metric=metric)
        for second, state, severity, metric in told
    ]

    found = steps(alerts, never)

    newest: dict[str | None, tuple[int, State, Severity]] = {}
    for second, state, severity, metric in told:
        # Nothing is known before the first that fires.
        is_known = bool(newest) or state == "firing"
        if is_known and (metric not in newest or second >= newest[metric][0]):
            newest[metric] = (second, state, severity)
    firing = [severity for _, state, severity in newest.values() if state == "firing"]
    ended = found[-1].life if found else None
    assert (ended is None) == (not newest)
    if ended:
        assert (ended.phase == "open") == bool(firing)
        assert ended.resolved_at is None or ended.resolved_at >= ended.opened_at
        if firing:
            assert ended.severity == max(firing, key=SEVERITIES.index)
        updates = [step.life.updated_at for step in found if step.life]
        assert updates == sorted(set(updates))


@FEW
@given(st.lists(st.integers(1, 400), min_size=1, max_size=12))
def test_flapping_is_so_many_switches_within_so_long(pauses: list[int]) -> None:
    second, switched, is_flapping = 0, list[int](), False
    known = steps([alert()])[0].life
    for number, pause in enumerate(pauses):
        second += pause
        state: State = "firing" if number % 2 else "resolved"
        step = received(known, alert(seconds=second, state=state), TIMING, at(second))
        if step.event == "opened":
            switched, is_flapping = [], False
        elif step.event in ("resolved", "reopened"):
            recent = [each for each in switched if second - each < 600]
            switched = [*recent, second]
            is_flapping = is_flapping or len(switched) >= 4
        known = step.life or known
        assert known
        assert known.is_flapping == is_flapping


def test_time_ends_what_nobody_speaks_of_and_calms_what_flapped() -> None:
    opened = life()
    assert passed(opened, TIMING, NOON + 23 * HOUR) is opened
    assert passed(opened, TIMING, NOON + 24 * HOUR).resolved_by == "time"
    flapping = life(is_flapping=True, switches=(at(0),))
    assert passed(flapping, TIMING, at(599)) is flapping
    assert not passed(flapping, TIMING, at(600)).is_flapping


def test_each_version_is_newer_than_the_one_before_though_the_clock_stands_still() -> None:
    first = life()
    second = acknowledged(first, "ann", NOON)
    third = resolved(second, "ann", NOON - HOUR)

    assert first.updated_at < second.updated_at < third.updated_at
    assert acknowledged(third, "ann", at(5)) is third


@pytest.mark.parametrize(
    "other",
    [
        {"tenant": "b"},
        {"rule": "b"},
        {"device": "b"},
        {"device": None},
        {"device": None, "zone": "b"},
    ],
)
def test_other_tenants_rules_and_devices_are_other_alerts(other: dict[str, str]) -> None:
    assert dedup_key(life()) != dedup_key(life(**other))
