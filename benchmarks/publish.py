"""Lines a second that `publish` makes durable messages of, beside the spool alone.

`make bench BENCH=publish OUT=build/publish.json`
"""

import json
import os
import resource
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import Figures, parser, report
from edge.outbox import OutRecord
from edge.spool import SpoolOutbox
from tests.end_to_end.stack import Stack

LIMIT_LINES_PER_S = 30_000
ARGUMENTS = {
    "csv": ("file.csv", "--product", "plant"),
    "csv_ledger": ("file.csv", "--product", "plant", "--ledger", "ledger.ndjson"),
    "ndjson": ("file.ndjson", "--product", "message"),
    "raw": ("file.ndjson", "--raw", "--device", "raw"),
}


@dataclass(frozen=True, slots=True)
class Taken:
    """What one run took."""

    per_s: float
    cpu_us: float


def run(rounds: int, lines: int) -> Figures:
    """Publish one CSV and one NDJSON file to a spool that nobody reads, in turns."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "stack.json").write_text('{"mode": "light"}')
        _write_files(home, lines)
        taken: dict[str, list[Taken]] = {name: [] for name in (*ARGUMENTS, "spool_alone")}
        for _ in range(rounds):
            for name, arguments in ARGUMENTS.items():
                taken[name].append(_publish(Stack(home, 18000), arguments, lines))
            taken["spool_alone"].append(_spool(home / "alone", lines))
    rates = {name: statistics.median(one.per_s for one in runs) for name, runs in taken.items()}
    costs = {name: statistics.median(one.cpu_us for one in runs) for name, runs in taken.items()}
    return {
        **{f"{name}_lines_per_s": rate for name, rate in rates.items()},
        **{f"{name}_cpu_us_a_line": cost for name, cost in costs.items()},
        "csv_of_limit": rates["csv"] / LIMIT_LINES_PER_S,
        "lines": lines,
        "load": os.getloadavg()[0],
    }


def _write_files(home: Path, lines: int) -> None:
    with (home / "file.csv").open("w") as table, (home / "file.ndjson").open("w") as messages:
        table.write("device,time,temperature,humidity,door\n")
        for number in range(lines):
            at = f"2026-01-01T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}"
            warm, door = 20 + number % 997 / 100, "true" if number % 7 else "false"
            table.write(f"d{number % 50},{at},{warm:.2f},{number % 100},{door}\n")
            metrics = f'{{"temperature":{warm:.2f},"humidity":{number % 100},"door":{door}}}'
            key = f'"device":"d{number % 50}","boot":"b","seq":{number}'
            messages.write(f'{{{key},"ts":"{at}Z","metrics":{metrics}}}\n')


def _publish(stack: Stack, arguments: tuple[str, ...], lines: int) -> Taken:
    paths = [str(stack.home / word) if "." in word else word for word in arguments]
    cpu_started, started = _children_cpu_s(), time.monotonic()
    said = stack.run("publish", *paths).json
    seconds, cpu_s = time.monotonic() - started, _children_cpu_s() - cpu_started
    assert said == {"read": lines, "published": lines, "bad_lines": 0}, json.dumps(said)
    return Taken(lines / seconds, cpu_s / lines * 1_000_000)


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _spool(folder: Path, lines: int) -> Taken:
    """Send ready payloads: what is left is the cost of making them durable."""
    record = OutRecord(b"plant.d1", b"x" * 120, [("device", b"d1"), ("product", b"plant")])
    cpu_started, started = time.process_time(), time.monotonic()
    with SpoolOutbox(folder) as outbox:
        for _ in range(lines):
            outbox.send(record)
    seconds, cpu_s = time.monotonic() - started, time.process_time() - cpu_started
    return Taken(lines / seconds, cpu_s / lines * 1_000_000)


def main() -> None:
    """Parse, run, report."""
    options = parser(__doc__ or "")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--lines", type=int, default=500_000)
    given = options.parse_args()
    report("publish", run(given.rounds, given.lines), given.out)


if __name__ == "__main__":
    main()
