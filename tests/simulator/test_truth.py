"""What truly goes wrong: drawn by seed, shown in the readings, told in the ledger before them."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.effects import EFFECTS, Course
from simulator.groups import Groups
from simulator.measurements import Clock, Past, Run
from simulator.scenarios import load_scenario, scenario_from_dict
from simulator.truth import Truth, draw_episodes
from telemetry.errors import HeadwaterError
from telemetry.ledger import line, parse
from tests.simulator.runs import START, run_of

DAY_S = 86_400.0
WEEKS = Past(1_790_553_600_000_000, 28 * DAY_S)
THEFT = load_scenario("theft")


def told(root: Path, *, scenario: str = "theft", seed: int = 1, devices: int = 20) -> Run:
    """Return four weeks of readings, one in two hours a device."""
    parts = run_of(root, load_scenario(scenario), seed=seed, devices=devices, total=336 * devices)
    return replace(parts.run, past=WEEKS)


def lines(run: Run, step: int = 500) -> Iterator[str]:
    groups = Groups(run)
    for first in range(0, run.total, step):
        group = groups.build(first, min(first + step, run.total), Clock(START))
        yield from group.labels
        yield from group.sent


def powers(run: Run, device: str, metric: str = "power") -> dict[int, float]:
    """Return a device's readings by their event time."""
    groups = Groups(run)
    whole = groups.build(0, run.total, Clock(START))
    sent = [orjson.loads(text) for text in whole.sent]
    return {
        entry["event_time"]: orjson.loads(record.value)["metrics"][metric]
        for entry, record in zip(sent, whole.records, strict=True)
        if entry["device"] == device
    }


@settings(max_examples=5, deadline=None)
@given(step=st.integers(40, 3_000))
def test_labels_stand_before_what_they_are_of_however_groups_are_cut(
    step: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = told(tmp_path_factory.mktemp("run"))
    labels, newest = [], 0
    for text in lines(run, step):
        entry = parse(text.encode())
        if entry["e"] == "label":
            assert newest < entry["from"] < entry["to"] <= WEEKS.begins_at + 28 * DAY_S * 1e6
            assert line(entry).decode() == text
            labels.append(text)
        elif entry["e"] == "sent":
            newest = max(newest, entry["event_time"] or 0)

    whole = [text for text in lines(run, run.total) if '"e":"label"' in text]
    assert labels == whole
    assert len(whole) > 3
    assert {orjson.loads(text)["kind"] for text in whole} <= set(THEFT.truth.kinds)  # type: ignore[union-attr]


def test_a_past_is_told_evenly_and_never_ahead_of_its_end(tmp_path: Path) -> None:
    run = told(tmp_path)
    times = [orjson.loads(text)["event_time"] for text in lines(run) if '"e":"sent"' in text]

    assert times == sorted(times)
    assert times[0] == WEEKS.begins_at
    assert times[-1] < WEEKS.begins_at + WEEKS.seconds * 1e6
    assert len({late - early for early, late in pairwise(times)}) <= 2


def test_readings_differ_from_an_honest_run_while_a_label_or_an_absence_lasts_and_only_then(
    tmp_path: Path,
) -> None:
    run = told(tmp_path)
    honest = replace(run, scenario=replace(run.scenario, truth=None))
    entries = [orjson.loads(text) for text in lines(run) if '"e":"label"' in text]
    away = draw_episodes(
        THEFT.truth or Truth(()), [device.zone or "" for device in run.fleet.devices],
        WEEKS.seconds, run.seed,
    )[1]  # fmt: skip
    label = next(
        entry for entry in entries
        if not np.isfinite(away.begin_s[_number(run, entry["device"])]).any()
        and entry["kind"] == "factor"
    )  # fmt: skip

    real, told_ = powers(honest, label["device"]), powers(run, label["device"])

    inside = {at for at in real if label["from"] <= at < label["to"]}
    assert len(inside) > 20
    assert {at for at in real if real[at] != told_[at]} == inside
    shares = [told_[at] / real[at] for at in inside]
    assert 0.19 < min(shares) <= max(shares) < 0.81
    assert max(shares) - min(shares) < 0.02


def _number(run: Run, device: str) -> int:
    return next(number for number, one in enumerate(run.fleet.devices) if one.device_full == device)


def test_same_seed_draws_the_same_truth_and_another_one_another(tmp_path: Path) -> None:
    labels = [
        [text for text in lines(told(tmp_path, seed=seed)) if '"e":"label"' in text]
        for seed in (1, 1, 2)
    ]

    assert labels[0] == labels[1] != labels[2]


def test_a_jam_holds_every_device_of_its_zone_at_once(tmp_path: Path) -> None:
    run = told(tmp_path, scenario="traffic", devices=60)
    zones = {device.device_full: device.zone for device in run.fleet.devices}
    jams: dict[tuple[int, int], set[str]] = {}
    for text in lines(run):
        entry = parse(text.encode())
        if entry["e"] == "label":
            jams.setdefault((entry["from"], entry["to"]), set()).add(entry["device"])

    assert len(jams) > 10
    for held in jams.values():
        zone = {zones[device] for device in held}
        assert len(zone) == 1
        assert held == {device for device in zones if zones[device] in zone}


def test_nothing_goes_wrong_while_a_run_is_quiet() -> None:
    truth = Truth(("factor",), share=1.0, episodes=3, quiet=0.4, lasts_s=(DAY_S, 9 * DAY_S))
    drawn, _ = draw_episodes(truth, [""] * 200, 30 * DAY_S, 1)

    assert drawn.begin_s.min() >= 12 * DAY_S
    assert drawn.end_s.max() <= 30 * DAY_S
    assert (drawn.end_s[:, :-1] <= drawn.begin_s[:, 1:]).all()
    assert len(drawn.labels()) == 600


def course(progress: float, **changes: float) -> Course:
    """Return one reading's place in an episode."""
    fields = {"hours": 12.0, "one": 0.5, "two": 0.5, "hourly": 0.5, "own": 0.5} | changes
    columns = {name: np.array([value]) for name, value in fields.items()}
    return Course(np.array([progress]), means={"power": np.array([500.0])}, **columns)


@pytest.mark.parametrize(
    ("kind", "reading", "shown"),
    [
        ("factor", 1000.0, 500.0),
        ("cap", 1000.0, 250.0),
        ("cap", 100.0, 100.0),
        ("less", 1000.0, 750.0),
        ("less", 100.0, 0.0),
        ("window", 1000.0, 0.0),
        ("restless", 1000.0, 500.0),
        ("average", 1000.0, 250.0),
    ],
)
def test_thefts_are_those_of_the_literature(kind: str, reading: float, shown: float) -> None:
    changed = EFFECTS[kind].change({"power": np.array([reading])}, course(0.5))

    assert changed["power"] == pytest.approx([shown])


def test_a_bypass_lets_the_other_hours_be() -> None:
    changed = EFFECTS["window"].change({"power": np.array([1000.0])}, course(0.5, hours=11.9))

    assert changed["power"] == [1000.0]


@pytest.mark.parametrize("kind", ["bearing", "imbalance", "overheating"])
def test_wear_begins_with_nothing_and_grows_until_failure(kind: str) -> None:
    numbers = {"vibration": np.array([3.0]), "temperature": np.array([60.0])}
    effect = EFFECTS[kind]
    seen = [effect.change(numbers, course(share))[effect.metric][0] for share in (0.0, 0.5, 1.0)]

    assert seen[0] == numbers[effect.metric][0]
    assert seen[0] < seen[1] < seen[2]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kinds": ["sabotage"]}, "no truth sabotage"),
        ({"lasts": ["1 h"]}, "two spans"),
        ({"lasts": ["2 h", "1 h"]}, "lasts"),
        ({"share": 2}, "from 0 to 1"),
    ],
)
def test_a_truth_that_makes_no_sense_is_refused(changes: dict[str, object], said: str) -> None:
    truth = {"kinds": ["step"], "lasts": ["1 h", "2 h"], **changes}

    with pytest.raises(HeadwaterError, match=said):
        scenario_from_dict("wrong", {"fleet": {"filler": 1}, "truth": truth})
