"""Seconds and memory that `verify` takes for a long run, on a lake written as landing does.

`make bench BENCH=verify OUT=build/verify.json`
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.report import Figures, parser, report
from simulator.entries import ack_lines
from simulator.scenarios import load_scenario
from telemetry.judge import judge
from telemetry.registry import Registry
from tests.simulator.lakes import Rows, append, create, write_gold
from tests.simulator.runs import RunParts, built, records, run_of

LIMIT_S = 60.0
LIMIT_MB = 2048.0
MESSAGES_PER_S = 5_000.0
GROUP = 40_000


def run(messages: int) -> Figures:
    """Build a lake of a mixed fleet, then verify it in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        # A process of its own: what is measured would else begin with this one's peak of memory.
        command = [sys.executable, "-m", "benchmarks.verify", "--messages", str(messages)]
        subprocess.run([*command, "--build", folder], check=True)
        return _measure(root)


def build(root: Path, messages: int) -> None:
    """Write lake and ledger of a mixed fleet."""
    slow = run_of(root / "registry", load_scenario("mixed"), devices=1_000, total=messages)
    _write(replace(slow, run=replace(slow.run, rate=MESSAGES_PER_S)), root)


def _write(parts: RunParts, root: Path) -> None:
    registry = Registry(parts.registry.products().values(), parts.registry.devices())
    lake = create(root / "lake")
    offset = 0
    rows = Rows()
    with (root / "ledger.ndjson").open("w") as ledger:
        for now, group in built(parts.run, step=GROUP):
            ledger.write("".join(group.sent) + ack_lines(group.acks, now))
            for record in records(group, now, offset):
                for found in judge(record, registry, tolerance_us=parts.run.tolerance):
                    rows.land(record, found)
            offset += len(group.records)
            append(lake, rows)
            rows.tables.clear()
    write_gold(lake)


def _measure(root: Path) -> Figures:
    command = [sys.executable, "-m", "simulator", "verify", str(root / "ledger.ndjson")]
    started = time.monotonic()
    answer = root / "verdict.json"
    with answer.open("wb") as out:
        verifying = subprocess.Popen(
            [*command, "--timeout", "0", "--json"],
            env={**os.environ, "HEADWATER_HOME": str(root)},
            stdout=out,
        )
        _, status, used = os.wait4(verifying.pid, 0)
    seconds = time.monotonic() - started
    assert os.waitstatus_to_exitcode(status) == 0
    verdict = json.loads(answer.read_bytes())
    return {
        "messages": verdict["sent"],
        "readings": verdict["readings"],
        "gold_windows": verdict["gold"]["windows"],
        "ok": verdict["ok"],
        "seconds": seconds,
        "seconds_of_limit": seconds / LIMIT_S,
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss / 1024,
        "peak_of_limit": used.ru_maxrss / 1024 / LIMIT_MB,
        "load": os.getloadavg()[0],
    }


def main() -> None:
    """Parse, run, report."""
    options = parser(__doc__ or "")
    options.add_argument("--messages", type=int, default=1_500_000)
    options.add_argument("--build", type=Path, help="only write lake and ledger into this folder")
    given = options.parse_args()
    if given.build:
        build(given.build, given.messages)
        return
    report("verify", run(given.messages), given.out)


if __name__ == "__main__":
    main()
