"""The decisions one by one, each against a plain model of what it means."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.alerts import budget
from services.alerts.configuration import DAYS, Inhibition, Limit, MuteTime, Route, Timing
from services.alerts.counting import MOST, counted
from services.alerts.inhibition import Sources
from services.alerts.life import (
    Life,
    Step,
    acknowledged,
    dedup_key,
    moment,
    passed,
    received,
    resolved,
)
from services.alerts.matching import FIELDS, Match, match_of
from services.alerts.mute_times import is_muted
from services.alerts.outbox import Answer, Waiting, chosen, eligible, outcome, wait_after
from services.alerts.routing import every_route, group_key, routes_of
from services.alerts.silences import Silence, silence_of
from telemetry.alerts import SEVERITIES, Alert, Severity, State
from tests.services.alert_parts import HOUR, MINUTE, NOON, SECOND, alert, at, life

TIMING = Timing()
FEW = settings(max_examples=50, deadline=None)
names = st.sampled_from(["a", "ab", "b", ""])
severities = st.sampled_from(SEVERITIES)


@st.composite
def some_lives(draw: st.DrawFn) -> Life:
    number = draw(st.integers(0, 5))
    return life(
        alert_id=f"{number:032x}",
        tenant=draw(st.sampled_from(["default", "other"])),
        rule=draw(st.sampled_from(["hot", "down", "stale"])),
        severity=draw(severities),
        zone=draw(st.none() | st.sampled_from(["hall", "yard"])),
        phase=draw(st.sampled_from(["open", "acknowledged", "resolved"])),
    )


@st.composite
def matches(draw: st.DrawFn) -> Match:
    wanted = st.sampled_from(["hot", "down", "!hot", "*o*", "hall", "critical", "st?le"])
    fields = draw(st.dictionaries(st.sampled_from(["rule", "zone", "severity"]), wanted))
    return match_of(fields)


def fits(match: Match, one: Life) -> bool:
    for name, values in match.fields:
        told = getattr(one, name) or ""
        wanted = [value for value in values if not value.startswith("!")]
        if wanted and not any(fnmatchcase(told, value) for value in wanted):
            return False
        if any(value.startswith("!") and fnmatchcase(told, value[1:]) for value in values):
            return False
    return True


@FEW
@given(match=matches(), one=some_lives())
def test_a_match_is_every_field_of_it(match: Match, one: Life) -> None:
    assert match.fits(one) == fits(match, one)


def test_every_field_can_be_matched() -> None:
    one = life(customer="acme", metric="celsius")
    for name in FIELDS:
        assert match_of({name: getattr(one, name)}).fits(one)
        assert not match_of({name: f"!{getattr(one, name)}"}).fits(one)


# The life of an alert.


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


def test_what_nobody_knows_of_cannot_be_over() -> None:
    assert steps([alert(state="resolved")]) == [Step("unmatched", None)]


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


# The route tree.


@st.composite
def trees(draw: st.DrawFn, path: str = "root", depth: int = 2) -> Route:
    count = draw(st.integers(0, 3)) if depth else 0
    children = [draw(trees(f"{path}/{number}", depth - 1)) for number in range(count)]
    return Route(
        path=path,
        match=Match() if path == "root" else draw(matches()),
        goes_on=draw(st.booleans()),
        group_by=draw(st.sampled_from([("rule",), ("zone", "severity"), ("alert",), ()])),
        routes=tuple(children),
    )


def leaves(route: Route, one: Life) -> list[str]:
    """Say what the tree means, by walking all of it."""
    if not fits(route.match, one):
        return []
    found: list[str] = []
    for child in route.routes:
        below = leaves(child, one)
        found.extend(below)
        if below and not child.goes_on:
            break
    return found or [route.path]


@FEW
@given(tree=trees(), one=some_lives())
def test_an_alert_takes_the_deepest_routes_that_fit(tree: Route, one: Life) -> None:
    found = routes_of(tree, one)

    assert [route.path for route in found] == leaves(tree, one)
    assert found
    assert {route.path for route in found} <= {route.path for route in every_route(tree)}


@FEW
@given(tree=trees(), one=some_lives(), other=some_lives())
def test_a_group_has_equal_values_of_one_tenant(tree: Route, one: Life, other: Life) -> None:
    route = routes_of(tree, one)[0]
    names = ["alert_id" if name == "alert" else name for name in route.group_by]
    are_equal = all((getattr(one, name) or "") == (getattr(other, name) or "") for name in names)

    is_one_group = group_key(route, one) == group_key(route, other)

    assert is_one_group == (are_equal and one.tenant == other.tenant)


# What holds an alert back.


def inhibits(rule: Inhibition, source: Life, target: Life) -> bool:
    return (
        source.phase != "resolved"
        and source.alert_id != target.alert_id
        and source.tenant == target.tenant
        and fits(rule.source, source)
        and fits(rule.target, target)
        and not fits(rule.source, target)
        and all(
            (getattr(source, name) or "") == (getattr(target, name) or "") for name in rule.equal
        )
    )


@FEW
@given(
    told=st.lists(some_lives(), max_size=8),
    target=some_lives(),
    rules=st.lists(
        st.builds(
            Inhibition,
            st.sampled_from(["r1", "r2"]),
            matches(),
            matches(),
            st.sampled_from([(), ("zone",), ("zone", "severity")]),
        ),
        max_size=2,
    ),
)
def test_an_open_source_holds_back_its_targets_and_nothing_else(
    told: list[Life], target: Life, rules: list[Inhibition]
) -> None:
    sources = Sources(rules)
    for one in told:
        sources.note(one)
    newest = {one.alert_id: one for one in told}

    expected = {
        (rule.name, one.alert_id)
        for rule in rules
        for one in newest.values()
        if inhibits(rule, one, target)
    }
    found = sources.inhibitor(target)
    assert (found is None) == (not expected)
    assert found is None or tuple(found) in expected


@FEW
@given(
    silences=st.lists(
        st.builds(
            Silence,
            st.uuids().map(lambda one: one.hex),
            st.sampled_from(["default", "other"]),
            matches(),
            st.just("ann"),
            st.just("works"),
            st.integers(-5, 5).map(lambda hour: NOON + hour * HOUR),
            st.integers(-5, 5).map(lambda hour: NOON + hour * HOUR),
        ),
        max_size=5,
    ),
    one=some_lives(),
)
def test_a_silence_holds_in_its_time_and_tenant(silences: list[Silence], one: Life) -> None:
    expected = [
        each
        for each in silences
        if each.starts_at <= NOON < each.ends_at
        and each.tenant == one.tenant
        and fits(each.match, one)
    ]

    found = silence_of(silences, one, NOON)

    assert (found is None) == (not expected)
    assert found is None or found.ends_at == max(each.ends_at for each in expected)


@FEW
@given(
    days=st.sets(st.sampled_from(DAYS)),
    start=st.integers(0, 1439),
    end=st.integers(0, 1439),
    minute=st.integers(0, 7 * 1440 - 1),
    zone=st.sampled_from(["UTC", "Asia/Tokyo"]),
)
def test_mute_times_hold_the_minutes_of_their_days(
    days: set[str], start: int, end: int, minute: int, zone: str
) -> None:
    mute = MuteTime(
        "quiet",
        ZoneInfo(zone),
        tuple(day for day in DAYS if day in days),
        time(start // 60, start % 60),
        time(end // 60, end % 60),
    )
    length = end - start if end > start else end - start + 1440
    begun = [DAYS.index(day) * 1440 + start for day in mute.days]
    muted = {(first + n) % (7 * 1440) for first in begun for n in range(length)}

    monday = datetime(2026, 11, 16, tzinfo=ZoneInfo(zone))
    now = (monday + timedelta(minutes=minute)).astimezone(UTC)

    assert is_muted(mute, now) == (minute in muted)


# How many messages, and in what order.


@FEW
@given(
    asked=st.lists(
        st.tuples(st.integers(1, 300), st.sampled_from(["digest", "critical", "other"])),
        max_size=60,
    ),
    messages=st.integers(budget.FEWEST, 8),
)
def test_a_person_never_gets_more_than_the_limit(
    asked: list[tuple[int, budget.Use]], messages: int
) -> None:
    limit, now, sent = Limit(messages, 10 * MINUTE), NOON, list[datetime]()
    for pause, use in asked:
        now += pause * SECOND
        is_free = budget.used(sent, limit, now) < messages
        if budget.admits(sent, limit, use, now):
            sent.append(now)
        else:
            assert use != "digest" or not is_free
        assert len([each for each in sent if each > now - limit.within]) <= messages


@FEW
@given(st.lists(some_lives(), max_size=30), st.integers(0, 40))
def test_counts_add_up_however_they_are_split(told: list[Life], rules: int) -> None:
    told += [life(rule=f"r{number}", zone=f"z{number}") for number in range(rules)]

    counts = counted(told)

    assert counts.alerts == len(told)
    for split in (counts.by_word, counts.by_severity, counts.by_rule, counts.by_zone):
        assert sum(split.values()) == len(told)
        assert len(split) <= MOST + 1


@st.composite
def queues(draw: st.DrawFn) -> list[Waiting]:
    lanes = st.none() | st.frozensets(st.sampled_from("abcd"), min_size=1, max_size=3)
    return [
        Waiting(
            number,
            f"{number:032x}",
            draw(st.booleans()),
            draw(lanes),
            draw(st.integers(0, 5)),
            at(draw(st.integers(0, 5))),
            NOON,
        )
        for number in range(draw(st.integers(0, 8)))
    ]


@FEW
@given(queue=queues(), failures=st.integers(0, 2**64 - 1))
def test_no_message_overtakes_another_of_the_same_device(
    queue: list[Waiting], failures: int
) -> None:
    waiting, sent, now = list(queue), list[Waiting](), NOON
    for turn in range(200):
        fails = turn < 64 and failures >> turn & 1
        message = chosen(waiting, now)
        if message is None:
            now += SECOND
            continue
        waiting.remove(message)
        if fails:
            waiting.append(replace(message, next_at=now + 2 * SECOND))
        else:
            sent.append(message)
    for later, message in enumerate(sent):
        for before in sent[later + 1 :]:
            is_barrier = message.lanes is None or before.lanes is None
            shares = is_barrier or bool((message.lanes or set()) & (before.lanes or set()))
            assert not (shares and before.number < message.number)
    assert not waiting
    assert {message.key for message in sent} == {message.key for message in queue}
    assert len(sent) == len(queue)


@FEW
@given(queues())
def test_something_may_always_go(queue: list[Waiting]) -> None:
    assert bool(eligible(queue)) == bool(queue)


def test_what_is_urgent_goes_first() -> None:
    calm = Waiting(1, "00", False, frozenset("a"), 0, NOON, NOON)
    urgent = Waiting(2, "01", True, frozenset("b"), 0, NOON, NOON)

    assert chosen([calm, urgent], NOON) == urgent


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (Answer(200), "delivered"),
        (Answer(204), "delivered"),
        (Answer(301), "refused"),
        (Answer(400), "refused"),
        (Answer(404), "refused"),
        (Answer(408), "retry"),
        (Answer(429), "retry"),
        (Answer(500), "retry"),
        (Answer(503), "retry"),
        (Answer(None, "ConnectError"), "retry"),
        (Answer(None, is_done=True), "delivered"),
        (Answer(None, is_done=False), "retry"),
    ],
)
def test_only_a_sink_that_understood_refuses_for_good(answer: Answer, meaning: str) -> None:
    assert outcome(answer) == meaning


@FEW
@given(st.integers(1, 60), st.integers(0, 2**128 - 1))
def test_waits_grow_to_half_a_minute_and_no_further(failures: int, number: int) -> None:
    waited = wait_after(failures, f"{number:032x}")

    assert waited <= 33 * SECOND
    assert waited >= min(0.9 * 2 ** (failures - 1), 27) * SECOND


def test_a_sink_may_ask_for_a_longer_wait() -> None:
    assert wait_after(1, "0" * 32, 2 * MINUTE) == 2 * MINUTE
    assert wait_after(1, "0" * 32, 9 * HOUR) == HOUR


def test_times_are_exact_to_the_microsecond() -> None:
    assert moment(1_700_000_000_123_457).microsecond == 123_457
