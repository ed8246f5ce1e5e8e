"""Rules as JSON: what reads back equal, and what is refused with field, rule and value."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from unittest.mock import ANY
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.errors import RuleError
from telemetry.products import product_from_dict
from telemetry.rules.checks import KINDS, Mad, Ratio, Seasonal, Threshold, kind_of
from telemetry.rules.fitting import check_fits
from telemetry.rules.form import (
    rule_from_dict,
    rule_to_dict,
    versioned_from_dict,
    versioned_to_dict,
)
from telemetry.rules.rule import Learning, Rule, VersionedRule, succeeding
from telemetry.rules.schedule import DAYS, Schedule, offset_us

HOT: dict[str, object] = {
    "rule": "hot", "metric": "temperature", "check": {"kind": "threshold", "bound": 90},
}  # fmt: skip
SILENT: dict[str, object] = {"check": {"kind": "no_data", "lasts": "1 h"}}
CHECKS: tuple[dict[str, object], ...] = (
    {"kind": "threshold", "bound": 90.0, "direction": "below"},
    {"kind": "range", "low": -5.0, "high": 40.0},
    {"kind": "rate", "bound": 2.5, "per": "10 min", "direction": "above"},
    {"kind": "stuck", "lasts": "3 h", "readings": 6},
    {"kind": "no_data", "lasts": "15 min"},
    {"kind": "zscore", "deviations": 6.0, "readings": 50},
    {"kind": "mad", "deviations": 8.0, "readings": 21},
    {"kind": "ewma", "smoothing": 0.05},
    {"kind": "seasonal", "slots": 168},
    {"kind": "ratio", "ratio": 0.5, "against": "season", "spreads": 3.0},
    {"kind": "detector", "detector": "stuck"},
    {"kind": "several", "by": "t2", "rows": 100},
    {"kind": "model", "model": "mills", "version": "0123456789ab", "bound": 0.5},
)


def metrics_of(check: Mapping[str, object]) -> list[str]:
    """Return as many metrics as a check of the kind takes."""
    return {"several": ["a", "b"], "no_data": []}.get(str(check["kind"]), ["a"])


checks = st.sampled_from(CHECKS)
extras = st.fixed_dictionaries(
    {},
    optional={
        "tenant": st.just("acme"),
        "scope": st.sampled_from([{}, {"product": "boiler"}, {"zone": "north"},
                                  {"product": "boiler", "device": "boiler.b1"}]),
        "severity": st.sampled_from(["info", "warning", "critical"]),
        "least_deviation": st.floats(0, 1e6),
        "schedule": st.just({"days": ["mon", "sun"], "from": "22:00", "to": "06:00"}),
        "timezone": st.just("Europe/Berlin"),
        "note": st.text(max_size=20),
    },
)  # fmt: skip


def test_every_kind_is_tried_here() -> None:
    assert [one["kind"] for one in CHECKS] == [kind.__struct_config__.tag for kind in KINDS]


@given(checks, extras, st.integers(1, 9), st.booleans())
def test_what_is_read_is_written_back_equal(
    check: dict[str, object], extra: dict[str, object], version: int, is_on: bool
) -> None:
    rule = rule_from_dict({"rule": "r", "check": check, "metrics": metrics_of(check), **extra})
    assert rule_from_dict(orjson.loads(orjson.dumps(rule_to_dict(rule)))) == rule
    assert kind_of(rule.check) == check["kind"]
    kept = VersionedRule(rule, version, is_on)
    assert versioned_from_dict(orjson.loads(orjson.dumps(versioned_to_dict(kept)))) == kept


def test_learning_and_connection_are_written_back_too() -> None:
    learnt = {**HOT, "learning": {"readings": 20, "span": "2 d"}, "connected_within": "10 min"}
    assert rule_to_dict(rule_from_dict(learnt)).items() >= {**learnt, "check": ANY}.items()


def test_one_metric_may_stand_alone() -> None:
    rule = rule_from_dict(HOT)
    assert rule == Rule(name="hot", metrics=("temperature",), check=Threshold(90.0))
    assert rule_to_dict(rule) == {
        **HOT, "check": {"kind": "threshold", "bound": 90.0, "direction": "above"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"check": {"kind": "threshold"}}, "rule hot: check.bound: is missing"),
        ({"check": {"kind": "threshold", "bound": "x"}}, "check.bound: expected `float`, .*'x'"),
        ({"check": {"kind": "threshold", "bound": 1, "bond": 2}}, "check.bond: no such field"),
        ({"check": {"kind": "treshold"}}, "check.kind: must be one of threshold, .*'treshold'"),
        ({"check": {}}, "check.kind: is missing"),
        ({"check": {"kind": "threshold", "bound": math.inf}}, "check.bound: .*, not inf"),
        ({"check": {"kind": "threshold", "bound": math.nan}}, "check.bound: .*, not nan"),
        ({"check": {"kind": "range", "low": 3, "high": 1}}, "check.low: 3 must be below high, 1"),
        ({"check": {"kind": "stuck", "lasts": "soon"}}, "check.lasts: 'soon' is not a duration"),
        ({"check": {"kind": "stuck", "lasts": "unbounded"}}, "check.lasts: 'unbounded' must be"),
        ({"check": {"kind": "ratio", "ratio": 1.5}}, "check.ratio: 1.5 must be less than 1"),
        ({"check": {"kind": "mad", "readings": 41}}, "check.readings: .*<= 40, not 41"),
        ({"check": {"kind": "several"}}, "metrics: a several rule takes two .*, not temperature"),
        ({"check": {"kind": "detector", "detector": "rig"}}, "check.detector: .*, not 'rig'"),
        ({"persistence": {"k": 3, "n": 2}}, "persistence.k: 3 must be no more than n, 2"),
        ({"persistence": {"k": 1, "n": 65}}, "persistence.n: .*<= 64, not 65"),
        ({"severity": "bad"}, "severity: invalid enum value 'bad'"),
        ({"hysteresis": -1}, "hysteresis: .*, not -1"),
        ({"schedule": {"from": "25:00"}}, "schedule.from: '25:00' must be a time of day"),
        ({"schedule": {"days": ["so"]}}, r"schedule.days\[0\]: .*, not 'so'"),
        ({"timezone": "Moon"}, "timezone: 'Moon' is no zone"),
        ({"learning": {"span": "1 fortnight"}}, "learning.span: '1 fortnight' is not"),
        ({"scope": {"product": "a b"}}, "scope.product: .*, not 'a b'"),
        ({"scope": {"product": "a", "device": "b.c"}}, "scope: device 'b.c' is of product b"),
        ({"connected_within": "0 s"}, "connected_within: '0 s' must be a span"),
        (SILENT | {"learning": {"readings": 3}}, "learning: a no_data rule has none"),
        (SILENT | {"persistence": {"k": 2, "n": 2}}, "persistence: silence has none"),
        ({"metrics": ["a"]}, "metric: stands for `metrics` of one"),
        ({"metric": 3}, r"metrics\[0\]: expected `str`, .*, not 3"),
        ({"rule": "a b"}, "rule: .*, not 'a b'"),
        ({"colour": "red"}, "colour: no such field"),
    ],
)
def test_what_is_wrong_is_named_by_field_rule_and_value(
    changed: dict[str, object], said: str
) -> None:
    with pytest.raises(RuleError, match=said):
        rule_from_dict({**HOT, **changed})


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"check": {"kind": "zscore"}}, "lane: .* zscore remembers more"),
        ({"check": {"kind": "detector"}}, "lane: .* detector remembers more"),
        ({"check": {"kind": "ratio"}}, "lane: .* ratio remembers more"),
        ({"persistence": {"k": 2, "n": 3}}, "lane: .*no `persistence`"),
        ({"learning": {"readings": 5}}, "lane: .*no `learning`"),
        ({"schedule": {"days": ["mon"]}}, "lane: .*no `schedule`"),
        ({"lane": "slow"}, "lane: .*'slow'"),
    ],
)
def test_fast_lane_takes_what_needs_no_memory(more: dict[str, object], said: str) -> None:
    with pytest.raises(RuleError, match=said):
        rule_from_dict({**HOT, "lane": "fast", **more})


@pytest.mark.parametrize(
    "check",
    [
        {"kind": "threshold", "bound": 1},
        {"kind": "range", "low": 1, "high": 2},
        {"kind": "seasonal"},
        {"kind": "ratio", "against": "season"},
    ],
)
def test_fast_lane_is_part_of_a_declaration(check: dict[str, object]) -> None:
    rule = rule_from_dict({**HOT, "check": check, "lane": "fast"})
    assert rule.lane == "fast"
    assert rule_from_dict(rule_to_dict(rule)) == rule


@pytest.mark.parametrize(
    ("check", "hysteresis", "most"),
    [
        ({"kind": "range", "low": 0, "high": 10}, 5.0, "5"),
        ({"kind": "zscore", "deviations": 4}, 4.0, "4"),
        ({"kind": "stuck", "lasts": "1 h"}, 1.0, "has none"),
        ({"kind": "detector"}, 0.5, "0.5"),
    ],
)
def test_hysteresis_that_nothing_could_end_is_refused(
    check: dict[str, object], hysteresis: float, most: str
) -> None:
    with pytest.raises(RuleError, match=f"hysteresis: .*{most}"):
        rule_from_dict({**HOT, "check": check, "hysteresis": hysteresis})
    rule_from_dict({**HOT, "check": check, "hysteresis": 0.0})


@pytest.mark.parametrize(
    ("version", "is_on", "said"),
    [(0, True, "version: must be"), (True, True, "version: must be"), (1, 1, "is_on: must be")],
)
def test_kept_form_is_held_to_its_fields(version: object, is_on: object, said: str) -> None:
    with pytest.raises(RuleError, match=f"rule hot: {said}"):
        versioned_from_dict({**HOT, "version": version, "is_on": is_on})


@pytest.mark.parametrize("given", [None, [], "hot", 3])
def test_what_is_no_object_is_refused(given: object) -> None:
    with pytest.raises(RuleError, match="a rule is an object"):
        rule_from_dict(given)  # type: ignore[arg-type]


def test_a_declaration_is_a_version_and_a_switch_is_none() -> None:
    hot = rule_from_dict(HOT)
    hotter = rule_from_dict({**HOT, "check": {"kind": "threshold", "bound": 95}})
    first = succeeding(None, hot, None)
    assert first == VersionedRule(hot, 1, False)
    switched = succeeding(first, hot, True)
    assert switched == VersionedRule(hot, 1, True)
    assert succeeding(switched, hotter, None) == VersionedRule(hotter, 2, True)
    assert succeeding(switched, hot, None) == switched


def test_learning_is_what_the_memory_needs_unless_it_is_said() -> None:
    assert Rule(name="r", metrics=("a",), check=Threshold(1.0)).learns == Learning()
    assert Rule(name="r", metrics=("a",), check=Mad(readings=21)).learns == Learning(21)
    season = Learning(readings=200, span="14 d")
    assert Rule(name="r", metrics=("a",), check=Seasonal()).learns == season
    assert Rule(name="r", metrics=("a",), check=Ratio(against="season")).learns == season
    own = Learning(readings=3)
    assert Rule(name="r", metrics=("a",), check=Seasonal(), learning=own).learns == own


clocks = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
day_sets = st.lists(st.sampled_from(DAYS), min_size=1, max_size=7, unique=True).map(tuple)


@given(day_sets, clocks, clocks, st.integers(0, 7 * 1440 - 1))
def test_schedule_holds_from_its_start_to_its_end(
    days: tuple[str, ...], start: str, end: str, minute_of_week: int
) -> None:
    if start == end:
        return
    schedule = Schedule(days=days, start=start, end=end)  # type: ignore[arg-type]
    held = set()
    for day in days:
        begin = DAYS.index(day) * 1440 + minutes(start)
        length = (minutes(end) - minutes(start)) % 1440
        held |= {(begin + step) % (7 * 1440) for step in range(length)}
    weekday, minute = divmod(minute_of_week, 1440)
    assert schedule.holds(weekday, minute) == (minute_of_week in held)


def minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def test_zones_offset_follows_summer_time() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    for month, hours in ((1, 1), (7, 2)):
        at = datetime(2026, month, 1, tzinfo=UTC)
        ahead = offset_us(berlin, int(at.timestamp() * 1e6))
        assert timedelta(microseconds=ahead) == timedelta(hours=hours)


def test_metric_that_the_product_has_not_is_refused() -> None:
    metrics = {"temperature": {"unit": "°C"}, "state": {"type": "string"}}
    declared = {"product": "boiler", "versions": [{"version": 1, "metrics": metrics}]}
    boiler = product_from_dict(declared)
    check_fits(rule_from_dict(HOT), boiler)
    check_fits(rule_from_dict({**HOT, "metric": "x"}), product_from_dict({"product": "any"}))
    with pytest.raises(RuleError, match="has no metric 'temp'; it has state, temperature"):
        check_fits(rule_from_dict({**HOT, "metric": "temp"}), boiler)
    with pytest.raises(RuleError, match="'state' is a string, and a threshold rule takes numbers"):
        check_fits(rule_from_dict({**HOT, "metric": "state"}), boiler)
    silent = {"rule": "silent", "metric": "state", "check": {"kind": "no_data", "lasts": "1 h"}}
    check_fits(rule_from_dict(silent), boiler)
