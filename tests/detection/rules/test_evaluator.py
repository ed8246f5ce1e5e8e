"""Rules against a plain model of each kind, and the same alerts however readings are cut."""

import itertools

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry.rules.rule import Rule, VersionedRule
from tests.detection.rules import plain
from tests.detection.rules.building import (
    MINUTE_US,
    MONDAY_US,
    Row,
    evaluator,
    readings,
    rule,
    taken,
    told,
)

CHECKS: tuple[dict[str, object], ...] = (
    {"kind": "threshold", "bound": 3.0},
    {"kind": "threshold", "bound": -1.0, "direction": "below"},
    {"kind": "range", "low": -2.0, "high": 3.0},
    {"kind": "range", "low": -2.0, "high": 3.0, "direction": "above"},
    {"kind": "rate", "bound": 2.0, "per": "5 min"},
    {"kind": "rate", "bound": 1.0, "per": "1 min", "direction": "below"},
    {"kind": "stuck", "lasts": "10 min", "readings": 3},
    {"kind": "zscore", "deviations": 2.0, "readings": 10},
    {"kind": "mad", "deviations": 3.0, "readings": 5},
    {"kind": "mad", "deviations": 3.0, "readings": 6, "direction": "below"},
    {"kind": "ewma", "deviations": 2.0, "smoothing": 0.4, "readings": 20},
    {"kind": "seasonal", "deviations": 2.0, "slots": 168},
    {"kind": "ratio", "ratio": 0.47},
    {"kind": "ratio", "ratio": 1.53, "direction": "above", "spreads": 1.0},
    {"kind": "ratio", "ratio": 0.47, "against": "season", "slots": 168, "spreads": 0.5},
)
checks = st.sampled_from(CHECKS)
extras = st.fixed_dictionaries({
    "hysteresis": st.sampled_from([0.0, 0.25]),
    "least_deviation": st.sampled_from([0.0, 0.0, 1.013]),
    "persistence": st.sampled_from(
        [{"k": k, "n": n} for k, n in ((1, 1), (1, 3), (2, 3), (3, 3), (2, 5))]
    ),
    "learning": st.sampled_from([{"readings": 0}, {"readings": 5}, {"span": "30 min"}]),
})  # fmt: skip
steps = st.sampled_from([-5, 0, 1, 1, 3, 7, 20, 60, 24 * 60, 7 * 24 * 60])
values = st.sampled_from([0.0, 1.0, 1.0, 2.0, 3.0, 4.0, -3.0, 0.4, 1.5, 9.0])


@st.composite
def series(draw: st.DrawFn) -> list[plain.Reading]:
    """Draw one series: gaps of minutes to weeks, now and then a reading that comes too late."""
    gaps = draw(st.lists(steps, min_size=1, max_size=60))
    times = MONDAY_US + np.cumsum(gaps) * MINUTE_US
    drawn = draw(st.lists(values, min_size=len(gaps), max_size=len(gaps)))
    return list(zip(times.tolist(), drawn, strict=True))


def declared(check: dict[str, object], extra: dict[str, object]) -> VersionedRule:
    """Return the rule; silence and stuckness have no hysteresis."""
    more = dict(extra)
    if check["kind"] == "stuck":
        more |= {"hysteresis": 0.0, "least_deviation": 0.0}
    return rule(check, 1, **more)


@settings(max_examples=100, deadline=None)
@given(checks, extras, st.lists(series(), min_size=1, max_size=3))
def test_alarms_are_those_of_a_model_that_goes_row_by_row(
    check: dict[str, object], extra: dict[str, object], fleet: list[list[plain.Reading]]
) -> None:
    kept = declared(check, extra)
    rows = interleaved(fleet)

    found = told(evaluator(kept).take(readings(rows), 0))

    for place, one in enumerate(fleet):
        mine = [(state, time) for device, state, time in found if device == f"d{place}"]
        assert mine == list(plain.events(kept.rule, one))


def interleaved(fleet: list[list[plain.Reading]]) -> list[Row]:
    """Return the readings of all devices, in turns."""
    turns = itertools.zip_longest(*fleet)
    return [
        (f"d{place}", "m", *reading)
        for turn in turns
        for place, reading in enumerate(turn)
        if reading is not None
    ]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(checks, extras), min_size=1, max_size=4),
       st.lists(series(), min_size=1, max_size=3),
       st.lists(st.integers(0, 180), max_size=6), st.booleans())  # fmt: skip
def test_alerts_are_the_same_for_any_batching_and_across_restarts(
    wanted: list[tuple[dict[str, object], dict[str, object]]],
    fleet: list[list[plain.Reading]],
    cuts: list[int],
    restarts: bool,
) -> None:
    rules = [
        VersionedRule(_renamed(declared(*one), f"r{place}"), is_on=True)
        for place, one in enumerate(wanted)
    ]
    silence = rule({"kind": "no_data", "lasts": "30 min"}, rule="silence", metric=None)
    rows = interleaved(fleet)

    whole = evaluator(*rules, silence).take(readings(rows), 5)
    parts = taken(evaluator(*rules, silence), rows, cuts, restarts)

    assert [each.alert.to_json() for each in parts] == [each.alert.to_json() for each in whole]


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize(("k", "n"), [(1, 1), (2, 3), (3, 3), (2, 5)])
def test_alerts_are_the_same_row_by_row(k: int, n: int, restarts: bool) -> None:
    kept = rule({"kind": "threshold", "bound": 3.0}, 1, persistence={"k": k, "n": n})
    values = [9.0, 9.0, 9.0, 1.0, 1.0, 1.0, 9.0, 1.0, 9.0, 9.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    rows: list[Row] = [
        ("d0", "m", MONDAY_US + place * MINUTE_US, value) for place, value in enumerate(values)
    ]

    whole = evaluator(kept).take(readings(rows), 5)
    parts = taken(evaluator(kept), rows, list(range(len(rows))), restarts)

    assert len(whole) >= 2
    assert [each.alert.to_json() for each in parts] == [each.alert.to_json() for each in whole]


def _renamed(kept: VersionedRule, name: str) -> Rule:
    return msgspec.structs.replace(kept.rule, name=name)


@pytest.mark.parametrize("check", CHECKS)
def test_bounds_and_baselines_are_those_of_the_model_over_weeks(check: dict[str, object]) -> None:
    drawn = np.random.default_rng(3)
    hours = np.arange(0, 24 * 7 * 6, 7)
    level = 20.0 + 5.0 * np.sin(hours / 24 * 2 * np.pi) + drawn.normal(0.0, 1.0, len(hours))
    level[drawn.integers(30, len(hours), 25)] *= drawn.choice([-0.5, 0.3, 2.0], 25)
    check = {**check, **({"slots": 14} if "slots" in check else {})}
    kept = rule(check)
    times = (MONDAY_US + hours * 60 * MINUTE_US).tolist()
    one = list(zip(times, level.tolist(), strict=True))

    outcomes = evaluator(kept).take(readings([("d", "m", *each) for each in one]), 0)

    assert told(outcomes) == [("d", *event) for event in plain.events(kept.rule, one)]
    # Means of a season are rounded to two bytes.
    close = 5e-4 if "slots" in check else 1e-6
    for outcome in outcomes:
        at = times.index(outcome.found.time)
        here = plain.seen(kept.rule, one[:at], one[at])
        assert here is not None
        if check["kind"] != "stuck":
            assert outcome.found.value == pytest.approx(here.subject)
            nearest = min((here.low, here.high), key=lambda bound: abs(bound - here.subject))
            assert outcome.found.bound == pytest.approx(nearest, rel=close)
        assert outcome.alert.baseline == (here.baseline and pytest.approx(here.baseline, rel=close))
