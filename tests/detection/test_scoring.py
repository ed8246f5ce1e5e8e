"""Scores do not depend on how readings are cut into batches, nor on a restart between them."""

import base64
import itertools
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detection.scoring import DETECTORS, SERIES, Scorer
from detection.series import SeriesDetector
from detection.stuck import StuckDetector
from telemetry.errors import HeadwaterError

MOST_STATE_BYTES = 500


def readings(count: int, *, metrics: int = 1, seed: int = 1) -> np.ndarray:
    """Return noise with a step and a spike, and a few rows that are no numbers."""
    drawn = np.random.default_rng(seed)
    values = drawn.normal(50.0, 2.0, (count, metrics))
    values[count // 2 :] += 30.0
    values[count // 3] = 500.0
    values[drawn.integers(0, count, 5)] = np.nan
    return values


def scored(scorer: Scorer, values: np.ndarray, cuts: list[int], devices: list[str]) -> np.ndarray:
    edges = [0, *sorted(cuts), len(values)]
    pairs = itertools.pairwise(edges)
    return np.concatenate([scorer.score(devices[a:b], values[a:b]) for a, b in pairs])


@settings(max_examples=15, deadline=None)
@given(
    detector=st.sampled_from(sorted(SERIES)),
    devices=st.integers(1, 5),
    cuts=st.lists(st.integers(0, 900), max_size=6),
    values=st.lists(st.floats(allow_nan=True, width=32), max_size=30),
)
def test_scores_of_series_are_the_same_bits_for_any_batching(
    detector: str, devices: int, cuts: list[int], values: list[float]
) -> None:
    rows = np.concatenate([np.array(values).reshape(-1, 1), readings(900 - len(values))])
    rows[~np.isfinite(rows)] = np.nan
    names = [f"d{place * 7 % devices}" for place in range(len(rows))]

    whole = scored(Scorer(detector, ["m"], 100), rows, [], names)
    parts = scored(Scorer(detector, ["m"], 100), rows, cuts, names)

    assert whole.tobytes() == parts.tobytes()
    assert ((whole >= 0.0) & (whole <= 1.0)).all()


@pytest.mark.parametrize("detector", [name for name in DETECTORS if name not in SERIES])
@settings(max_examples=4, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 400), max_size=6),
    owners=st.lists(st.integers(0, 3), min_size=400, max_size=400),
    holes=st.lists(st.tuples(st.integers(0, 399), st.integers(0, 2)), max_size=20),
)
def test_scores_of_rigs_are_the_same_bits_for_any_batching(
    detector: str, cuts: list[int], owners: list[int], holes: list[tuple[int, int]]
) -> None:
    # A device has forests of its own, 500 trees; that several take turns is the same for all rigs.
    devices = 1 if detector == "forest" else 4
    rows, names = readings(400, metrics=3), [f"d{owner % devices}" for owner in owners]
    for row, metric in holes:
        rows[row, metric] = np.nan

    whole = scored(Scorer(detector, ["a", "b", "c"], 40), rows, [], names)
    parts = scored(Scorer(detector, ["a", "b", "c"], 40), rows, cuts, names)

    assert whole.tobytes() == parts.tobytes()
    assert (whole[np.isnan(rows).any(axis=1)] == 0.0).all()


@pytest.mark.parametrize("detector", [name for name in DETECTORS if name not in SERIES])
@pytest.mark.parametrize("level", [0.0, 0.1, 16_777_217.0, 1e50])
def test_metrics_that_stand_still_are_scored_and_alarm_once_they_move(
    detector: str, level: float
) -> None:
    rows = np.full((200, 3), level)
    rows[:, 0] = np.arange(200) % 7
    moved = np.vstack([rows, rows[:60] + np.array([0.0, 0.0, 1.0 + level])])
    constant = Scorer(detector, ["b", "c"], 100).score(["d"] * 200, rows[:, 1:])
    scores = Scorer(detector, ["a", "b", "c"], 100).score(["d"] * 260, moved)
    for still in (constant, scores[:200]):
        assert ((still >= 0.0) & (still < 0.5)).all()
    if detector != "forest" and level < 1e38:
        assert (scores[220:] > 0.5).all()


@pytest.mark.parametrize("detector", DETECTORS)
def test_a_saved_and_resumed_state_gives_the_same_bits(detector: str, tmp_path: Path) -> None:
    metrics = ["a", "b", "c"]
    rows, names = readings(600, metrics=3), ["d"] * 600
    whole = scored(Scorer(detector, metrics, 100), rows, [], names)
    state = tmp_path / "state"

    first = Scorer(detector, metrics, 100)
    before = first.score(names[:333], rows[:333])
    first.save(state)
    second = Scorer(detector, metrics, 100)
    second.load(state)
    second.save(tmp_path / "again")
    after = second.score(names[333:], rows[333:])

    assert whole.tobytes() == np.concatenate([before, after]).tobytes()
    assert state.read_bytes() == (tmp_path / "again").read_bytes()


@pytest.mark.parametrize("detector", ["rig", "forest"])
def test_state_of_format_1_with_the_rows_that_taught_a_rig_is_gone_on_from(
    detector: str, tmp_path: Path
) -> None:
    metrics, rows = ["a", "b"], readings(600, metrics=2)
    rows[~np.isfinite(rows)] = 50.0
    first, second = (Scorer(detector, metrics, 100) for _ in range(2))
    whole = first.score(["d"] * 600, rows)
    # As format 1 had it: rows, and the smoothed distances after the last one.
    first = Scorer(detector, metrics, 100)
    first.score(["d"] * 300, rows[:300])
    first.save(tmp_path / "state")
    saved = orjson.loads((tmp_path / "state").read_bytes())
    bytes_of = base64.b64decode(saved["rigs"]["d"])
    memory = np.frombuffer(bytes_of[2:], count=2 * bytes_of[1]).reshape(-1, 2)
    rig = {"training": rows[:100].tolist(), "memory": memory.tolist()}
    (tmp_path / "state").write_bytes(orjson.dumps({**saved, "format": 1, "rigs": {"d": rig}}))

    second.load(tmp_path / "state")

    assert (second.score(["d"] * 300, rows[300:]) == whole[300:]).all()


def test_a_state_of_other_columns_is_refused(tmp_path: Path) -> None:
    Scorer("series", ["a"], 100).save(tmp_path / "state")

    with pytest.raises(HeadwaterError, match="another file"):
        Scorer("series", ["b"], 100).load(tmp_path / "state")


def test_what_is_no_state_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("row,score\n")

    with pytest.raises(HeadwaterError, match="remove it"):
        Scorer("series", ["a"], 100).load(tmp_path / "state")


def test_rows_that_are_no_numbers_score_0_and_leave_no_trace() -> None:
    rows = readings(900)
    good = rows[np.isfinite(rows[:, 0])]

    scores = Scorer("series", ["m"], 100).score(["d"] * len(rows), rows)
    without = Scorer("series", ["m"], 100).score(["d"] * len(good), good)

    assert (scores[np.isnan(rows[:, 0])] == 0.0).all()
    assert scores[np.isfinite(rows[:, 0])].tobytes() == without.tobytes()


def test_a_spike_alarms_at_once_and_a_step_too() -> None:
    rows = np.random.default_rng(3).normal(50.0, 2.0, (1200, 1))
    rows[600] = 500.0
    rows[900:] += 40.0

    scores = Scorer("series", ["m"], 100).score(["d"] * len(rows), rows)

    assert scores[600] >= 0.5
    assert scores[900:903].max() >= 0.5
    assert (scores[400:600] < 0.5).all()


@pytest.mark.parametrize("fault", ["shift", "drift", "parted"])
def test_a_rig_alarms_through_a_fault_and_seldom_before(fault: str) -> None:
    found = []
    for seed in range(4):
        drawn = np.random.default_rng(seed)
        rows = drawn.normal(size=(1000, 2)) @ drawn.normal(size=(2, 8))
        rows += 0.5 * drawn.normal(size=rows.shape)
        size = rows.std(axis=0)
        if fault == "shift":
            rows[600:, :2] += 3.0 * size[:2]
        elif fault == "drift":
            rows[600:, :2] += np.linspace(0.0, 8.0, 400)[:, None] * size[:2]
        else:
            rows[600:, :4] = drawn.permutation(rows[:400, :4])
        scores = Scorer("rig", list("abcdefgh"), 400).score(["d"] * 1000, rows)
        found.append(scores >= 0.5)
    alarms = np.array(found)

    assert not alarms[:, :400].any()
    assert alarms[:, 400:600].mean() < 0.1
    assert alarms[:, 700:].mean() > 0.9


def test_a_meter_that_stands_still_is_told_once_within_ten_days() -> None:
    rows = np.random.default_rng(5).gamma(2.0, 0.1, (4000, 1)).round(3)
    rows[3000:3900] = 0.2

    scores = Scorer("stuck", ["kwh"], 100).score(["d"] * 4000, rows)

    alarms = np.flatnonzero(scores >= 0.5)
    assert len(alarms) == 1
    assert 3000 < alarms[0] < 3000 + 480


@pytest.mark.parametrize("detector", [SeriesDetector, StuckDetector])
def test_state_of_a_series_is_small(detector: type[SeriesDetector | StuckDetector]) -> None:
    assert detector().state_bytes <= MOST_STATE_BYTES
