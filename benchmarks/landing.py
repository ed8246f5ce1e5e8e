"""CPU per event from a backlog in Kafka to committed tables, beside stock Spark.

`make bench BENCH=landing OUT=build/landing.json`

Each way reads the same topic in a process of its own, in turn. What is counted begins after a
warm-up within the run: the rest of the backlog, user and system time of the whole process tree.
`plain` is one table, a row a message, with nothing checked; `same work` is raw messages, and
narrow readings that are checked, deduplicated and joined with their devices.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import polars as pl

from benchmarks.backlog import enrol, fill
from benchmarks.report import Figures, parser, report
from edge.registry_files import RegistryFiles
from telemetry.settings import Settings
from tests.end_to_end.stack import Stack, free_port_base

WAYS = ("ours", "spark_plain", "spark_same_work")
LIMITS = {"spark_plain": 0.8, "spark_same_work": 1 / 3}
NAMES = {"spark_plain": "stock_spark_plain", "spark_same_work": "stock_spark_same_work"}
DEVICES = 1000
_KEY = ("device_full", "boot", "seq")


def run(runs: int, sizes: dict[str, int], ways: tuple[str, ...]) -> Figures:
    """Fill a topic, and land it each way in turns."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), free_port_base())
        stack.run("up", "--only", "kafka", timeout_s=600)
        try:
            kafka = Settings(home=stack.home, port_base=stack.port_base).kafka_bootstrap
            size = fill(kafka, sizes["events"], sizes["metrics"], DEVICES)
            taken = [_round(Path(folder), kafka, n, sizes, ways) for n in range(runs)]
        finally:
            stack.run("down", check=False)
    return _figures(taken, sizes, ways) | {"bytes_an_event": size}


def _round(
    folder: Path, kafka: str, number: int, sizes: dict[str, int], ways: tuple[str, ...]
) -> dict[str, object]:
    found: dict[str, object] = {"load": os.getloadavg()[0]}
    for way in ways:
        home = folder / f"{way}-{number}"
        enrol(RegistryFiles(home / "registry"), sizes["metrics"], DEVICES)
        asked = [f"--{name}={sizes[name]}" for name in ("metrics", "warm", "batch")]
        command = [sys.executable, "-m", "benchmarks.lander", way, f"--home={home}"]
        done = subprocess.run(
            [*command, f"--kafka={kafka}", *asked], check=True, capture_output=True, text=True
        )
        _check(way, home / "lake", sizes)
        found[way] = json.loads(done.stdout.splitlines()[-1])
        sys.stderr.write(f"run {number}, {way}: {found[way]}\n")
    return found


def _check(way: str, lake: Path, sizes: dict[str, int]) -> None:
    """Count rows and keys by a reader that none of the ways writes with."""
    events, readings = sizes["events"], sizes["events"] * sizes["metrics"]
    expected = {
        "ours": {"bronze/messages": events, "silver/readings": readings},
        "spark_plain": {"plain": events},
        "spark_same_work": {"bronze": events, "silver": readings},
    }
    for name, rows in expected[way].items():
        table = pl.scan_delta(str(lake / name))
        found = table.select(pl.len()).collect().item()
        assert found == rows, f"{way}: {found} rows in {name}, {rows} are right"
        if set(_KEY) <= set(table.collect_schema().names()):
            keys = table.select(pl.struct(_KEY).n_unique()).collect(engine="streaming").item()
            assert keys == events, f"{way}: {keys} keys in {name}, {events} are right"


def _figures(
    taken: list[dict[str, object]], sizes: dict[str, int], ways: tuple[str, ...]
) -> dict[str, object]:
    cpu_us = {way: _median(taken, way, "cpu_us") for way in ways}
    ratios = {way: cpu_us["ours"] / cost for way, cost in cpu_us.items() if way != "ours"}
    return {
        "cpu_us_per_event": cpu_us["ours"],
        **{f"cpu_ratio_vs_{NAMES[way]}": ratio for way, ratio in ratios.items()},
        **{f"{NAMES[way]}_of_limit": ratio / LIMITS[way] for way, ratio in ratios.items()},
        **{f"{way}_cpu_us_per_event": cost for way, cost in cpu_us.items()},
        **{f"{way}_events_per_s": _median(taken, way, "events_per_s") for way in ways},
        "runs": len(taken),
        "load": [each["load"] for each in taken],
        "of_each_run": taken,
        **sizes,
    }


def _median(taken: list[dict[str, object]], way: str, name: str) -> float:
    values = (each[way] for each in taken)
    return float(statistics.median(value[name] for value in values if isinstance(value, dict)))


def main() -> None:
    """Parse, run, report."""
    options = parser(__doc__ or "")
    options.add_argument("--runs", type=int, default=5)
    options.add_argument("--events", type=int, default=2_000_000)
    options.add_argument("--warm", type=int, default=800_000, help="events before it counts")
    options.add_argument("--batch", type=int, default=200_000, help="events a micro-batch")
    options.add_argument("--metrics", type=int, default=6, help="of a message")
    options.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS, help="only these")
    given = options.parse_args()
    sizes = {name: getattr(given, name) for name in ("events", "warm", "batch", "metrics")}
    ways = tuple(way for way in WAYS if way in given.ways)
    report("landing", run(given.runs, sizes, ways), given.out)


if __name__ == "__main__":
    main()
