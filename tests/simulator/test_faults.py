"""Every fault's expectation against the judgement that landing passes."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from simulator.faults import FAULTS
from simulator.scenarios import Scenario, load_scenario, scenario_names
from telemetry.judge import Judged
from telemetry.ledger import Sent
from tests.simulator.runs import RunParts, built, judged, run_of

Fate = tuple[str, str | None]


class Landing:
    """Judges as landing does: telemetry's judgement, then what was there before."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str | None, str, int], bytes] = {}

    def fate(self, found: Judged) -> str:
        """Return the table that takes the message."""
        if found.reasons:
            return "rejected"
        key = (found.tenant, found.device_full, found.boot, found.seq)
        first = self._first.setdefault(key, found.raw)
        if first is not found.raw:
            return "duplicate" if first == found.raw else "conflict"
        return "late" if found.late else "silver"


def fates(parts: RunParts) -> Iterator[tuple[Sent, Judged, str]]:
    """Yield each ledger line with the judgement of its message and the table that takes it."""
    landing = Landing()
    lines = (orjson.loads(line) for _, group in built(parts.run) for line in group.sent)
    for entry, (_, found) in zip(lines, judged(parts), strict=True):
        yield entry, found, landing.fate(found)


@pytest.fixture(scope="module", params=scenario_names())
def scenario_fates(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[Sent, Judged, str]]:
    """A run of each scenario, judged."""
    return list(fates(run_of(tmp_path_factory.mktemp("run"), load_scenario(request.param))))


def test_every_message_meets_its_expectation(
    scenario_fates: list[tuple[Sent, Judged, str]],
) -> None:
    for entry, found, fate in scenario_fates:
        assert entry["sha256"] == hashlib.sha256(found.raw).hexdigest()
        assert (entry["device"], entry["expect"]) == (found.device_full, fate), entry
        rules = [reason.rule for reason in found.reasons]
        assert entry["reason"] in rules or (entry["reason"], rules) == (None, [])


def test_event_time_of_what_is_kept_is_foretold(
    scenario_fates: list[tuple[Sent, Judged, str]],
) -> None:
    for entry, found, fate in scenario_fates:
        if fate in ("silver", "late"):
            assert (entry["event_time"] is None) == (found.device_time is None)
            assert entry["event_time"] in (None, found.event_time)


def test_ledger_names_the_key_or_leaves_it_out(
    scenario_fates: list[tuple[Sent, Judged, str]],
) -> None:
    for entry, found, _ in scenario_fates:
        if entry["boot"] is not None:
            assert (entry["boot"], entry["seq"]) == (found.boot, found.seq)
        else:
            assert found.boot.startswith(("h:", "k:"))


@pytest.mark.parametrize("fault", sorted(FAULTS.keys() - {"poison"}))
def test_fault_alone_has_one_kind_of_outcome(fault: str, tmp_path: Path) -> None:
    fleet = load_scenario("clean").fleet
    parts = run_of(tmp_path, Scenario(fault, "", fleet, {fault: 0.2}), total=400)

    outcomes = {(entry["expect"], entry["reason"]) for entry, _, _ in fates(parts)}

    assert ("silver", None) in outcomes
    assert len(outcomes) <= 4


def test_faults_scenario_has_every_fault_and_every_rule(tmp_path: Path) -> None:
    scenario = load_scenario("faults")

    parts = run_of(tmp_path, scenario, total=10_000)

    rules = {entry["reason"] for entry, _, _ in fates(parts)}

    assert set(scenario.faults) == set(FAULTS)
    assert rules >= {
        "empty", "malformed", "not_a_message", "type", "version", "missing", "device_mismatch",
        "unknown_device", "unknown_product", "unknown_metric", "range", "required", "values",
        "too_old",
    }  # fmt: skip


@pytest.mark.parametrize("fault", ["unknown_device", "unknown_product"])
def test_strangers_are_numbered_like_the_devices_that_send_them(fault: str, tmp_path: Path) -> None:
    parts = run_of(tmp_path, load_scenario(fault), devices=40, total=800)
    sent = [entry["device"] for entry, found, fate in fates(parts) if fate == "rejected"]
    known = {device.device_full.rpartition("-")[2] for device in parts.run.fleet.devices}
    numbers = {name.rpartition("-")[2] for name in sent}
    assert len(numbers) > 1
    assert numbers <= known
