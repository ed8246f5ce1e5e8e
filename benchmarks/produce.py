"""Messages a second that the simulator sends from one core, its ledger included.

`make bench BENCH=produce OUT=build/produce.json`
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.report import Figures, parser, report
from telemetry.settings import Settings
from tests.end_to_end.stack import Stack, free_port_base

LIMIT_MESSAGES_PER_S = 50_000
SCENARIOS = ("clean", "mixed")


@dataclass(frozen=True, slots=True)
class Taken:
    """What one run took; its CPU time says more than its rate where others use the core too."""

    per_s: float
    cpu_us: float
    bytes_a_message: int


def run(rounds: int, seconds: float) -> Figures:
    """Start a broker alone, and measure simulator and bare loop in turns."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), free_port_base())
        stack.run("up", "--only", "kafka", timeout_s=600)
        try:
            _move_broker(stack)
            return _measure(stack, rounds, seconds)
        finally:
            stack.run("down", check=False)


def _measure(stack: Stack, rounds: int, seconds: float) -> Figures:
    taken: dict[str, list[Taken]] = {name: [] for name in (*SCENARIOS, "bare")}
    for number in range(rounds):
        for name in SCENARIOS:
            taken[name].append(_simulate(stack, name, seconds, number))
        size = taken["mixed"][-1].bytes_a_message
        bare = [sys.executable, "-m", "benchmarks.plain_producer", _bootstrap(stack), str(size)]
        taken["bare"].append(_pinned([*bare, str(seconds)], stack))
    rates = {name: statistics.median(one.per_s for one in runs) for name, runs in taken.items()}
    cpu_us = {name: statistics.median(one.cpu_us for one in runs) for name, runs in taken.items()}
    return {
        **{f"{name}_messages_per_s": rate for name, rate in rates.items()},
        **{f"{name}_of_limit": rates[name] / LIMIT_MESSAGES_PER_S for name in SCENARIOS},
        **{f"{name}_of_bare": rates[name] / rates["bare"] for name in SCENARIOS},
        **{f"{name}_cpu_us_a_message": cost for name, cost in cpu_us.items()},
        "bytes_a_message": size,
        "load": os.getloadavg()[0],
    }


def _simulate(stack: Stack, name: str, seconds: float, seed: int) -> Taken:
    ledger = stack.home / f"{name}-{seed}.ndjson"
    sizes = ["--devices", "1000", "--rate", "max", "--for", f"{seconds}s", "--seed", str(seed)]
    command = [sys.executable, "-m", "simulator", "simulate", name, *sizes, "--quiet"]
    found = _pinned([*command, "--ledger", str(ledger)], stack)
    ledger.unlink()
    return found


def _pinned(command: list[str], stack: Stack) -> Taken:
    """Run a command on the first core alone, and read the JSON that it prints."""
    first = min(os.sched_getaffinity(0))
    done = subprocess.run(
        ["taskset", "-c", str(first), *command],
        env=stack.environment,
        capture_output=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found["acked"] == found["sent"]
    return Taken(
        per_s=found["messages_per_s"],
        cpu_us=found["cpu_s"] / found["acked"] * 1_000_000,
        bytes_a_message=round(found["bytes"] / found["records"]),
    )


def _bootstrap(stack: Stack) -> str:
    return Settings(home=stack.home, port_base=stack.port_base).kafka_bootstrap


def _move_broker(stack: Stack) -> None:
    """Keep the broker off the first core, where there is another one."""
    status = stack.run("status", "--json").json
    assert isinstance(status, dict)
    cores = sorted(os.sched_getaffinity(0))
    for service in status["services"]:
        if service["pid"] and len(cores) > 1:
            broker = psutil.Process(service["pid"])
            for process in (broker, *broker.children(recursive=True)):
                process.cpu_affinity(cores[1:])


def main() -> None:
    """Parse, run, report."""
    options = parser(__doc__ or "")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=float, default=15.0, help="of each run")
    given = options.parse_args()
    report("produce", run(given.rounds, given.seconds), given.out)


if __name__ == "__main__":
    main()
