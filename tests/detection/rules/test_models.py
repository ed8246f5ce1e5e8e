"""Rules over trained models: found by name and version, or refused by name."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection.models.asking import predicts
from detection.models.failure import NUMBERS, failure_features
from detection.models.model_files import load
from detection.models.training import answers
from detection.rules.evaluator import Evaluator
from detection.rules.packing import of_place, unpacked
from telemetry.alerts import Alert
from telemetry.rules.rule import VersionedRule
from tests.detection.rules.building import MINUTE_US, MONDAY_US, Row, readings, rule
from tests.detection.rules.engine_models import ENGINE, lives, save_engine_model
from tests.detection.rules.mill_models import FRESH, NAMES, VERSION, WORN, save_mill_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model of failure and one of life."""
    made = tmp_path_factory.mktemp("models")
    save_mill_model(made / "mills.model")
    save_engine_model(made / "life.model", VERSION)
    return made


def put(folder: Path, kept: VersionedRule) -> Evaluator:
    """Return an evaluator at work on one rule."""
    judging = Evaluator(predicts(folder))
    judging.put([kept], 0)
    assert judging.refused == {}
    return judging


def test_answer_beyond_the_bound_is_an_alarm(folder: Path) -> None:
    check = {"kind": "model", "model": "mills", "version": VERSION, "bound": 0.5}
    judging = Evaluator(predicts(folder))
    judging.put([rule(check, metrics=list(NAMES))], 0)
    assert judging.refused == {}
    rows: list[Row] = [
        ("mill.m1", name, MONDAY_US + minute * MINUTE_US, value)
        for minute, message in enumerate((FRESH, WORN, FRESH))
        for name, value in zip(NAMES, message, strict=True)
    ]
    outcomes = judging.take(readings(rows), 0)
    assert [outcome.found.state for outcome in outcomes] == ["firing", "resolved"]
    assert "make model mills answer" in outcomes[0].alert.text


@pytest.mark.parametrize(
    ("model", "version", "metrics", "why"),
    [
        ("none", VERSION, NAMES, "there is no model"),
        ("mills", "f" * 12, NAMES, f"is of data {VERSION}, not ffffffffffff"),
        ("life", VERSION, NAMES, "a rul model asks for 25 metrics: cycle, 3 settings"),
        ("mills", VERSION, NAMES[:5], "asks for type, airtemperature"),
    ],
)
def test_model_that_cannot_answer_is_refused_by_name(
    folder: Path, model: str, version: str, metrics: tuple[str, ...], why: str
) -> None:
    check = {"kind": "model", "model": model, "version": version, "bound": 0.5}
    judging = Evaluator(predicts(folder))
    judging.put([rule(check, metrics=list(metrics))], 0)
    assert why in judging.refused["default", "r"]


def test_mill_of_a_kind_that_is_none_is_answered_as_a_file_would_be(folder: Path) -> None:
    check = {"kind": "model", "model": "mills", "version": VERSION, "bound": 0.5}
    judging = put(folder, rule(check, metrics=list(NAMES)))
    rows: list[Row] = [
        ("mill.m1", name, MONDAY_US + minute * MINUTE_US, value)
        for minute, kind in enumerate((7.0, -4.0, 0.5, 1e60))
        for name, value in zip(NAMES, (kind, *WORN[1:]), strict=True)
    ]
    (outcome,) = judging.take(readings(rows), 0)
    texts = {name: [str(value)] for name, value in zip(("type", *NUMBERS), WORN, strict=True)}
    features = failure_features({**texts, "type": ["X"]})
    assert outcome.found.value == answers("failure", load(folder / "mills.model")[1], features)


NEAR = {"kind": "model", "model": "life", "version": VERSION, "bound": 40.0, "direction": "below"}


def lives_as_messages(rows: np.ndarray, device: Sequence[str]) -> list[Row]:
    """Return cycles as messages, of all devices in turns; `device` says whose unit each is."""
    minute = {unit: 0 for unit in np.unique(rows[:, 0])}
    found = []
    for row in rows:
        minute[row[0]] += 1
        found.append((minute[row[0]], device[int(row[0])], row[1:]))
    found.sort(key=lambda each: each[0])
    return [
        (name, metric, MONDAY_US + at * MINUTE_US, float(value))
        for at, name, values in found
        for metric, value in zip(ENGINE, values, strict=True)
    ]


def test_life_of_a_device_is_foretold_as_its_file_would_be(folder: Path) -> None:
    rows = lives(3)
    kept = rule(NEAR, metrics=list(ENGINE), persistence={"k": 2, "n": 3})
    outcomes = put(folder, kept).take(readings(lives_as_messages(rows, "abc")), 0)

    foretold = answers("rul", load(folder / "life.model")[1], rows)
    for unit, device in enumerate("abc"):
        mine = foretold[rows[:, 0] == unit]
        near = np.convolve(mine < 40.0, [1, 1, 1])[: len(mine)] >= 2
        begins = int(np.flatnonzero(near & (mine < 40.0))[0])
        first = next(each for each in outcomes if each.alert.device == device)
        assert first.found.time == MONDAY_US + (begins + 1) * MINUTE_US
        assert first.found.value == mine[begins]
        assert 5 < len(mine) - begins < 90
        assert f"make model life answer {mine[begins]:.6g}, below 40" in first.alert.text


def test_alert_of_metrics_with_long_names_can_be_read_by_who_tells_it(folder: Path) -> None:
    names = [f"high pressure turbine, {name}" for name in ENGINE]
    rows = [
        (device, names[ENGINE.index(metric)], at, value)
        for device, metric, at, value in lives_as_messages(lives(1), "a")
    ]
    judging = put(folder, rule(NEAR, metrics=names))
    outcomes = judging.take(readings(rows), 0)
    outcomes += judging.put([], rows[-1][2] + 1)
    firing, *_, over = (Alert.from_json(each.alert.to_json()) for each in outcomes)
    assert firing.metric == over.metric
    assert str(over.metric).endswith(" more")
    assert str(over.metric).startswith(f"{names[0]}, {names[1]}, ")


def test_device_whose_cycles_begin_anew_begins_another_life(folder: Path) -> None:
    rows = lives(4)
    after = rows.copy()
    after[:, 0] //= 2
    one_by_one = put(folder, rule(NEAR, metrics=list(ENGINE)))
    parts = [
        one_by_one.take(readings(lives_as_messages(rows[rows[:, 0] == unit], "abcd")), 0)
        for unit in range(4)
    ]
    again = lives_as_messages(after, "xy")
    both = put(folder, rule(NEAR, metrics=list(ENGINE))).take(readings(again), 0)
    for device, first, second in (("x", 0, 1), ("y", 2, 3)):
        found = [each.found.value for each in both if each.alert.device == device]
        expected = [each.found.value for each in parts[first] + parts[second]]
        # The new life's first healthy answer ends the alarm of the one before.
        assert [value for value in expected if value < 40] == [v for v in found if v < 40]
        assert len([value for value in found if value < 40]) >= 2


@settings(max_examples=5, deadline=None)
@given(st.lists(st.integers(0, 700), max_size=5), st.booleans())
def test_answers_are_the_same_for_any_batching_and_across_restarts(
    folder: Path, cuts: list[int], restarts: bool
) -> None:
    rows = lives_as_messages(lives(3), "abc")
    starts = [0, *sorted(25 * cut for cut in cuts if 25 * cut < len(rows)), len(rows)]
    kept = rule({**NEAR, "bound": 100.0}, metrics=list(ENGINE))
    whole = put(folder, kept).take(readings(rows), 5)

    judging, parts = put(folder, kept), []
    for start, end in itertools.pairwise(starts):
        parts += judging.take(readings(rows[start:end]), 5)
        if restarts:
            saved, judging = judging.save(), Evaluator(predicts(folder))
            judging.load(saved)

    assert [each.alert.to_json() for each in parts] == [each.alert.to_json() for each in whole]
    assert len(whole) >= 3


def test_what_a_life_is_remembered_by_stays_small(folder: Path) -> None:
    judging = put(folder, rule(NEAR, metrics=list(ENGINE)))
    judging.take(readings(lives_as_messages(lives(2)[:5], "ab")), 0)
    states = of_place(0, unpacked(judging.save())[1])["states"]
    assert states.shape[1] / len(ENGINE) < 80
