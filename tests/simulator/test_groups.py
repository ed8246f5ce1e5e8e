"""Groups: the same seed gives the same messages, however they are cut."""

from dataclasses import replace
from itertools import chain
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.groups import Groups
from simulator.measurements import Clock
from simulator.scenarios import load_scenario
from telemetry.ledger import line
from tests.simulator.runs import START, built, run_of

CLEAN = load_scenario("clean")
MIXED = load_scenario("mixed")


def values(root: Path, *, seed: int = 1, step: int = 100) -> list[bytes]:
    """Return a mixed run's bodies."""
    run = run_of(root, MIXED, seed=seed, total=1_000).run
    return [record.value for _, group in built(run, step=step) for record in group.records]


def test_same_seed_sends_the_same_bytes(tmp_path: Path) -> None:
    assert values(tmp_path) == values(tmp_path)
    assert values(tmp_path) != values(tmp_path, seed=2)


@settings(max_examples=10, deadline=None)
@given(step=st.integers(1, 700))
def test_cutting_into_groups_changes_no_measurement(
    step: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = run_of(tmp_path_factory.mktemp("registry"), CLEAN).run
    whole = Groups(run).build(0, 700, Clock(START))
    groups = Groups(run)
    parts = [
        groups.build(first, min(first + step, 700), Clock(START)) for first in range(0, 700, step)
    ]

    cut = chain.from_iterable(part.records for part in parts)

    assert sorted(record.value for record in cut) == sorted(
        record.value for record in whole.records
    )


def test_fast_lines_are_those_of_the_ledger(tmp_path: Path) -> None:
    for _, group in built(run_of(tmp_path, MIXED, total=1_000).run):
        for text in group.sent:
            assert line(orjson.loads(text)).decode() == text
        for head in group.acks:
            assert line(orjson.loads(f"{head}17}}")).decode() == f"{head}17}}\n"


def test_three_metrics_a_message(tmp_path: Path) -> None:
    bodies = [
        orjson.loads(record.value)
        for _, group in built(run_of(tmp_path, CLEAN).run)
        for record in group.records
    ]

    assert sum(len(body["metrics"]) for body in bodies) / len(bodies) == 3.0
    kinds = {type(value) for body in bodies for value in body["metrics"].values()}
    assert kinds == {float, int, bool, str}


def test_a_devices_messages_are_numbered_without_a_gap(tmp_path: Path) -> None:
    seen: dict[bytes, list[int]] = {}
    for _, group in built(run_of(tmp_path, CLEAN).run):
        for record in group.records:
            seen.setdefault(record.key, []).append(orjson.loads(record.value)["seq"])

    assert all(seqs == list(range(len(seqs))) for seqs in seen.values())
    assert len(seen) == 40


def test_two_schema_versions_live_together(tmp_path: Path) -> None:
    scenario = replace(load_scenario("schema-change"), faults={})
    run = run_of(tmp_path, scenario, total=2_000).run
    shapes: dict[int, set[frozenset[str]]] = {}
    for number, (_, group) in enumerate(built(run, step=200)):
        for record in group.records:
            metrics = orjson.loads(record.value)["metrics"]
            shapes.setdefault(number, set()).add(frozenset(metrics))
    old = frozenset({"flow", "pressure", "valve_open"})
    new = frozenset({"flow", "pressure", "temperature"})

    assert old in shapes[0]
    assert new not in shapes[0]
    assert {old, new} <= shapes[5]
    assert new in shapes[9]
    assert old not in shapes[9]
