"""Landing a backlog of which one record in a hundred is poison, beside the same one without.

`make bench BENCH=poison OUT=build/poison.json`

Poison is any of the cases of the JSON parsing suite and of our own, or of these alone, which are
large: 26 KB on average beside 6. Both backlogs are landed in turns, in a process of its own each;
figures begin after a warm-up.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from benchmarks.as_started import environment
from benchmarks.backlog import OWN, Backlog, enrol, fill
from benchmarks.marks import check_warm_up
from benchmarks.report import Figures, count, parser, report
from edge.registry_files import RegistryFiles
from infra.processes import tree_pss_mb
from telemetry.settings import Settings
from tests.end_to_end.stack import Stack, free_port_base
from tests.telemetry.parsing_cases import json_cases

EVERY = {"clean": 0, "poison": 100}
LEAST_THROUGHPUT = 0.9
DEVICES = 1000
SAMPLE_S = 0.5
ASIDE = ("rejected", "duplicates", "conflicts", "late")
_RECORD = ("topic", "partition", "offset")
CASES = {"all": (*OWN, *(case.text for case in json_cases())), "own": OWN}


def run(runs: int, sizes: Mapping[str, int], cases: str) -> Figures:
    """Fill both topics, and land them in turns."""
    with tempfile.TemporaryDirectory() as folder, _brokers(Path(folder)) as kafka:
        for mix, every in EVERY.items():
            backlog = Backlog(sizes["events"], sizes["metrics"], DEVICES, poison_every=every)
            fill(kafka[mix], backlog._replace(poison=CASES[cases]))
        taken = []
        for number in range(runs):
            mixes = sorted(EVERY, reverse=bool(number % 2))
            taken.append({mix: _landed(Path(folder), kafka, mix, sizes) for mix in mixes})
    sent = {"cases": cases, "bytes_a_case": statistics.mean(map(len, CASES[cases]))}
    return _figures(taken) | {"runs": runs, "load": os.getloadavg()[0], **sizes, **sent}


@contextmanager
def _brokers(folder: Path) -> Iterator[dict[str, str]]:
    """Start a broker a mix; yield where each is."""
    stacks: dict[str, Stack] = {}
    try:
        for mix in EVERY:
            stacks[mix] = Stack(folder / mix, free_port_base())
            stacks[mix].run("up", "--only", "kafka", timeout_s=600)
        yield {
            mix: Settings(home=stack.home, port_base=stack.port_base).kafka_bootstrap
            for mix, stack in stacks.items()
        }
    finally:
        for stack in stacks.values():
            stack.run("down", check=False)


def _landed(
    folder: Path, kafka: Mapping[str, str], mix: str, sizes: Mapping[str, int]
) -> dict[str, float]:
    with tempfile.TemporaryDirectory(dir=folder) as home:
        enrol(RegistryFiles(Path(home) / "registry"), sizes["metrics"], DEVICES)
        asked = [f"--{name}={sizes[name]}" for name in ("metrics", "warm", "batch")]
        command = [sys.executable, "-m", "benchmarks.lander", "ours", f"--home={home}"]
        process = subprocess.Popen(
            [*command, f"--kafka={kafka[mix]}", *asked], stdout=-1, env=environment()
        )
        memory = _memory_mb(process)
        assert process.stdout is not None
        said = process.stdout.read().splitlines()
        assert process.returncode == 0, f"{mix}: the lander failed"
        _check(Path(home) / "lake", sizes["events"], EVERY[mix])
    found: dict[str, float] = json.loads(said[-1])
    sys.stderr.write(f"{mix}: {found}, {max(memory)} MiB\n")
    return found | _growth(memory)


def _memory_mb(process: "subprocess.Popen[bytes]") -> list[int]:
    found = []
    while process.poll() is None:
        found.append(tree_pss_mb(process.pid) or 0)
        time.sleep(SAMPLE_S)
    return found


def _growth(memory: list[int]) -> dict[str, float]:
    """Return the peak, and what the last third of a run rose above the third before it."""
    third = len(memory) // 3
    before, after = memory[third : 2 * third], memory[2 * third :]
    return {"peak_mb": max(memory), "grew_mb": max(after, default=0) - max(before, default=0)}


def _check(lake: Path, events: int, every: int) -> None:
    """Count every record in bronze and in silver, poison among the rejected; none is in two."""
    held = pl.scan_delta(str(lake / "bronze/messages")).select(pl.len()).collect().item()
    rejected, *aside = (pl.scan_delta(str(lake / "silver" / name)) for name in ASIDE)
    readings = pl.scan_delta(str(lake / "silver" / "readings"))
    frames = [frame.select(_RECORD).unique() for frame in (rejected, *aside, readings)]
    records = [frame.select(pl.len()).collect(engine="streaming").item() for frame in frames]
    poison = -(-events // every) if every else 0
    assert (held, sum(records), records[0]) == (events, events, poison), (held, records)


def _figures(taken: list[dict[str, dict[str, float]]]) -> dict[str, object]:
    """Compare the runs of each turn, then take the median of the turns."""

    def ratio(name: str) -> float:
        return statistics.median(turn["poison"][name] / turn["clean"][name] for turn in taken)

    def median(mix: str, name: str) -> float:
        return statistics.median(turn[mix][name] for turn in taken)

    def best(mix: str) -> float:
        return max(turn[mix]["events_per_s"] for turn in taken)

    throughput = ratio("events_per_s")
    return {
        "throughput_of_clean": throughput,
        "throughput_of_clean_at_best": best("poison") / best("clean"),
        "limit": LEAST_THROUGHPUT,
        "is_kept": throughput >= LEAST_THROUGHPUT,
        "cpu_of_clean": ratio("cpu_us"),
        "peak_memory_of_clean": ratio("peak_mb"),
        **{
            f"{mix}_{name}": median(mix, name)
            for mix in EVERY
            for name in ("events_per_s", "cpu_us", "peak_mb", "grew_mb")
        },
    }


def main() -> None:
    """Parse, run, report."""
    options = parser(__doc__ or "")
    options.add_argument("--runs", type=count, default=5)
    options.add_argument("--events", type=count, default=1_000_000)
    options.add_argument("--warm", type=int, default=300_000, help="events before it counts")
    options.add_argument("--batch", type=count, default=40_000, help="events a micro-batch")
    options.add_argument("--metrics", type=count, default=6, help="of a message")
    options.add_argument("--cases", choices=CASES, default="all", help="what poison is")
    given = options.parse_args()
    check_warm_up(options, given.events, given.warm, given.batch)
    sizes = {name: getattr(given, name) for name in ("events", "warm", "batch", "metrics")}
    report("poison", run(given.runs, sizes, given.cases), given.out)


if __name__ == "__main__":
    main()
