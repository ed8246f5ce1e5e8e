"""Detectors of `headwater detect` as rules: the same scores and the same memory, bit for bit."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection.rules.evaluator import Evaluator, Outcome
from detection.rules.packing import of_place, unpacked
from detection.rules.roster import Roster
from detection.rules.series_watch import HEAD_BYTES, SeriesWatch
from detection.scoring import ALARM_FROM, SERIES, Scorer
from telemetry.rules.rule import VersionedRule
from tests.detection.rules.building import (
    MINUTE_US,
    MONDAY_US,
    Row,
    evaluator,
    readings,
    rule,
    taken,
)

MOST_STATE_BYTES = 500
detectors = st.sampled_from(sorted(SERIES))
cuts = st.lists(st.integers(0, 2400), max_size=6)


def detecting(detector: str) -> VersionedRule:
    return rule({"kind": "detector", "detector": detector}, rule=detector)


@st.composite
def fleets(draw: st.DrawFn) -> np.ndarray:
    """Draw some devices' readings, a row each: noise, spikes, steps, runs of one value, holes."""
    devices, count = draw(st.integers(1, 3)), draw(st.integers(1, 800))
    noise = np.random.default_rng(draw(st.integers(0, 99)))
    values = noise.normal(50.0, 2.0, (devices, count))
    for _ in range(draw(st.integers(0, 4))):
        row, place = draw(st.integers(0, devices - 1)), draw(st.integers(0, count - 1))
        change = draw(st.sampled_from(["spike", "step", "run", "hole"]))
        if change == "step":
            values[row, place:] += draw(st.floats(-50, 50))
        else:
            end = place + (1 if change != "run" else draw(st.integers(100, 600)))
            values[row, place:end] = {"spike": 500.0, "run": 20.0, "hole": np.nan}[change]
    return values


def rows_of(fleet: np.ndarray) -> list[Row]:
    """Return the readings of all devices, in turns."""
    return [
        (f"d{device}", "m", MONDAY_US + minute * MINUTE_US, value)
        for minute, values in enumerate(fleet.T.tolist())
        for device, value in enumerate(values)
    ]


def begun(fleet: np.ndarray, detector: str) -> list[tuple[str, int, float]]:
    """Return where alarms begin and their scores, by the detector itself over each series."""
    found = []
    for device, values in enumerate(fleet):
        scores = Scorer(detector, ["m"], 10).score(["d"] * len(values), values[:, None])
        good = np.flatnonzero(np.isfinite(values))
        is_alarm = scores[good] >= ALARM_FROM
        first = is_alarm & ~np.concatenate([[False], is_alarm[:-1]])
        found += [(f"d{device}", MONDAY_US + int(place) * MINUTE_US, float(scores[place]))
                  for place in good[first[: len(good)]]]  # fmt: skip
    return sorted(found)


def firing(outcomes: list[Outcome]) -> list[tuple[str, int, float]]:
    return sorted(
        (each.found.source.series.device, each.found.time, each.found.score)
        for each in outcomes
        if each.found.state == "firing"
    )


@settings(max_examples=40, deadline=None)
@given(detectors, fleets(), cuts, st.booleans())
def test_alarms_and_scores_are_the_detectors_own_for_any_batching_and_across_restarts(
    detector: str, fleet: np.ndarray, cuts: list[int], restarts: bool
) -> None:
    outcomes = taken(evaluator(detecting(detector)), rows_of(fleet), cuts, restarts)

    assert firing(outcomes) == begun(fleet, detector)


@settings(max_examples=20, deadline=None)
@given(detectors, fleets(), cuts)
def test_what_a_rule_remembers_is_what_the_detector_does(
    detector: str, fleet: np.ndarray, cuts: list[int]
) -> None:
    kept = detecting(detector)
    judging, rows = evaluator(kept), rows_of(fleet)
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    for start, end in itertools.pairwise(edges):
        judging.take(readings(rows[start:end]), 5)

    ours = SERIES[detector]()
    for device, values in enumerate(fleet):
        good = values[np.isfinite(values)]
        state = np.zeros((1, ours.state_bytes), np.uint8)
        if len(good):
            ours.step(good[None], state)
            assert remembered(judging, f"d{device}").tobytes() == state.tobytes()


def remembered(judging: Evaluator, device: str) -> np.ndarray:
    """Return what the only rule's detector remembers of a device."""
    _, arrays = unpacked(judging.save())
    state = of_place(0, arrays)
    names = [judging.roster.sources[owner].series.device for owner in state["owners"]]
    return np.asarray(state["states"][names.index(device), HEAD_BYTES:])


@pytest.mark.parametrize("detector", sorted(SERIES))
def test_what_a_series_is_remembered_by_stays_small(detector: str) -> None:
    assert SeriesWatch(detecting(detector), Roster()).state_bytes <= MOST_STATE_BYTES


def test_alarm_says_what_was_read_its_score_and_that_it_is_over() -> None:
    noise = np.random.default_rng(3).normal(50.0, 2.0, 600)
    noise[500] = 400.0
    outcomes = evaluator(detecting("series")).take(readings(rows_of(noise[None])), 5)
    spike = next(each for each in outcomes if each.found.time == MONDAY_US + 500 * MINUTE_US)

    score = spike.alert.score
    assert score is not None
    assert score >= ALARM_FROM
    assert spike.alert.value == score
    assert spike.alert.bound == pytest.approx(ALARM_FROM)
    assert spike.alert.text == (
        f"m of d0 is 400, unlike anything in its own past: series scores {score:.3f}"
    )
    assert spike.alert.evidence[-1] == (spike.found.time, 400.0)
    over = outcomes[outcomes.index(spike) + 1]
    assert over.alert.text == f"m of d0: series is over after 60 s, now {noise[501]:.6g}"


def test_meter_that_stands_still_is_told_once() -> None:
    values = np.random.default_rng(5).gamma(2.0, 0.1, 900).round(3)
    values[400:] = 0.2
    outcomes = evaluator(detecting("stuck")).take(readings(rows_of(values[None])), 5)

    assert [each.found.state for each in outcomes] == ["firing", "resolved"]
    assert outcomes[0].alert.text == (
        "m of d0 stands still at 0.2 for longer than its own past explains: stuck scores 1.000"
    )


def test_another_detector_learns_anew() -> None:
    noise = np.random.default_rng(3).normal(50.0, 2.0, 300)
    judging = evaluator(rule({"kind": "detector", "detector": "stuck"}))
    judging.take(readings(rows_of(noise[None])), 5)
    assert judging.put([rule({"kind": "detector", "detector": "series"}, 2)], 6) == []
    rows: list[Row] = [("d0", "m", MONDAY_US + 300 * MINUTE_US, 9000.0)]
    assert judging.take(readings(rows), 7) == []
