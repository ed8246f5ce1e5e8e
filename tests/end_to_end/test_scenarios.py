"""Scenarios with truth in a light stack: shipped rules find what the ledger says is wrong."""

from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.long, pytest.mark.timeout(900)]
RULES = Path(__file__).parents[2] / "simulator" / "rules"


def test_weeks_of_jams_and_drift_are_found(light_stack: Stack, tmp_path: Path) -> None:
    stack = light_stack
    for name in ("traffic", "quality"):
        stack.run("simulate", name, "--messages", "0")
        stack.run("rules", "add", str(RULES / f"{name}.yaml"), "--on")

    jams = detected(stack, tmp_path, "traffic", days=28, a_day=144)
    drifts = detected(stack, tmp_path, "quality", days=14, a_day=288)

    assert jams["labels"] == jams["found"] != 0
    assert jams["precision"] == 1.0
    assert drifts["recall"] == 1.0 > drifts["false_alarms_per_device_month"]
    assert {*jams["by_kind"], *drifts["by_kind"]} == {"jam", "standstill", "drift", "step"}


def detected(stack: Stack, folder: Path, name: str, days: int, a_day: int) -> dict[str, Any]:
    """Tell of so many days of twenty devices, and return what `verify` says of the alarms."""
    ledger, devices = folder / f"{name}.ndjson", 20
    count = ("--devices", str(devices), "--messages", str(devices * days * a_day))
    told = ("--over", f"{days}d", "--rate", "3000", "--ledger", str(ledger), "--quiet")
    stack.run("simulate", name, *count, *told)
    verdict = stack.run("verify", str(ledger), "--json", "--timeout", "200").json
    assert isinstance(verdict, dict)
    found = verdict["detection"]
    assert isinstance(found, dict)
    return found
