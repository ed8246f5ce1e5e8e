"""Scenarios as data: which devices, which faults at which rates, and how long a day lasts."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from simulator.faults import FAULTS
from simulator.truth import Truth, truth_from_dict
from telemetry.durations import parse_duration
from telemetry.errors import HeadwaterError

SCENARIOS = Path(__file__).parent / "scenarios"
SINGLE_FAULT_RATE = 0.05


@dataclass(frozen=True, slots=True)
class Scenario:
    """A fleet by shares, faults by rate, and the span of the run in which schemas change.

    With a `truth`, days are those of the calendar, and what goes wrong is written to the ledger.
    """

    name: str
    description: str
    fleet: Mapping[str, float]
    faults: Mapping[str, float]
    day_s: float = 86400.0
    upgrade: tuple[float, float] | None = None
    truth: Truth | None = None


def scenario_names(folder: Path = SCENARIOS) -> list[str]:
    """Return the names of the scenarios that have a file."""
    return sorted(path.stem for path in folder.glob("*.json"))


def load_scenario(name: str, folder: Path = SCENARIOS) -> Scenario:
    """Return a scenario by its name, or the clean one with a single kind of fault."""
    path = folder / f"{name}.json"
    if path.is_file():
        return scenario_from_dict(name, json.loads(path.read_text()))
    if name in FAULTS:
        fleet = load_scenario("clean", folder).fleet
        text = f"all products, {SINGLE_FAULT_RATE:.0%} {name}: {FAULTS[name].meaning}"
        return Scenario(name, text, fleet, {name: SINGLE_FAULT_RATE})
    raise HeadwaterError(
        f"no scenario {name!r}: `headwater simulate list` shows all"
        f" ({', '.join(scenario_names(folder))}, or one fault's name)"
    )


def scenario_from_dict(name: str, data: Mapping[str, object]) -> Scenario:
    """Read a scenario's JSON form; raise `HeadwaterError` that names what is wrong."""
    fleet, faults = data.get("fleet"), data.get("faults", {})
    if not isinstance(fleet, dict) or not fleet or not isinstance(faults, dict):
        raise HeadwaterError(f"scenario {name}: fleet and faults must be objects, fleet not empty")
    unknown = sorted(set(faults) - set(FAULTS))
    if unknown:
        raise HeadwaterError(f"scenario {name}: no fault {', '.join(unknown)}")
    if sum(faults.values()) > 1 or min(faults.values(), default=0) < 0:
        raise HeadwaterError(f"scenario {name}: fault rates must be from 0 and sum to 1 at most")
    day = parse_duration(str(data.get("day", "1 d")))
    upgrade, truth = data.get("upgrade"), data.get("truth")
    return Scenario(
        name=name,
        description=str(data.get("description", "")),
        fleet=fleet,
        faults=faults,
        day_s=day.total_seconds() if day else 86400.0,
        upgrade=(float(upgrade[0]), float(upgrade[1])) if isinstance(upgrade, list) else None,
        truth=truth_from_dict(name, truth) if isinstance(truth, dict) else None,
    )
