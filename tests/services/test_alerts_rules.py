"""Matches, routes, groups, inhibition, silences, mute times: each against a plain model."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from services.alerts.configuration import DAYS, Inhibition, MuteTime, Route
from services.alerts.inhibition import Sources
from services.alerts.life import (
    Life,
)
from services.alerts.matching import FIELDS, Match, match_of
from services.alerts.mute_times import is_muted
from services.alerts.routing import every_route, group_key, routes_of
from services.alerts.silences import Silence, silence_of
from tests.services.alert_parts import HOUR, NOON, life
from tests.services.alert_strategies import fits, matches, some_lives

FEW = settings(max_examples=30, deadline=None)


@FEW
@given(match=matches(), one=some_lives())
def test_a_match_is_every_field_of_it(match: Match, one: Life) -> None:
    assert match.fits(one) == fits(match, one)


def test_every_field_can_be_matched() -> None:
    one = life(customer="acme", metric="celsius")
    for name in FIELDS:
        assert match_of({name: getattr(one, name)}).fits(one)
        assert not match_of({name: f"!{getattr(one, name)}"}).fits(one)


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


def test_what_is_a_source_itself_is_told() -> None:
    rule = Inhibition("any", match_of({"rule": "down"}), match_of({"rule": "*"}))
    first, second = life(alert_id="1" * 32, rule="down"), life(alert_id="2" * 32, rule="down")
    sources = Sources([rule], [first, second])

    assert sources.inhibitor(first) is None
    assert sources.inhibitor(second) is None
    found = sources.inhibitor(life(rule="stale"))
    assert found
    assert found.alert_id == first.alert_id


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
