"""CPU per event from a backlog in Kafka to committed tables, beside peers.

`make bench BENCH=landing OUT=build/landing.json`

Each way reads the same topic in a process of its own, in turn. What is counted begins after a
warm-up within the run: the rest of the backlog, user and system time of the whole process tree;
so no JVM's start and first compilation count. `plain` is one table, a row a message, with nothing
checked; `same work` is raw messages, and narrow readings that are checked, deduplicated and joined
with their devices; `ours_gold` makes all tables of gold beside. Flink writes plain Parquet, and the
hand-written consumer a plain Delta table. A picture of what each way costs is written beside OUT,
as curves where `--metrics` has several.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from benchmarks import flink_lander
from benchmarks.as_started import environment
from benchmarks.backlog import Backlog, enrol, fill
from benchmarks.landed import checked_bytes
from benchmarks.landing_plot import save
from benchmarks.marks import check_warm_up
from benchmarks.report import Figures, count, counts, parser, report
from edge.registry_files import RegistryFiles
from telemetry.settings import Settings
from tests.end_to_end.stack import Stack, free_port_base

NAMES = {
    "spark_plain": "stock_spark_plain",
    "spark_same_work": "stock_spark_same_work",
    "flink_plain": "flink_plain",
    "hand_written": "hand_written",
}
LIMITS = {"spark_plain": 0.8, "spark_same_work": 1 / 3, "flink_plain": 0.8}
GOLD_LIMIT = 1.2
"""Of stock Spark's plain table, with all of gold's tables as well."""
OURS = ("ours", "ours_gold")
WAYS = (*OURS, *NAMES)
SHOWN = {way: NAMES.get(way, way).replace("_", " ") for way in WAYS}
DEVICES = 1000
Sizes = Mapping[str, int]
Round = dict[str, object]
LeftOut = dict[str, str]
"""Ways that cannot be had, or failed, and why."""


def run(runs: int, sizes: Sizes, ways: tuple[str, ...]) -> dict[str, object]:
    """Fill a topic, and land it each way in turns."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), free_port_base())
        stack.run("up", "--only", "kafka", timeout_s=600)
        try:
            kafka = Settings(home=stack.home, port_base=stack.port_base).kafka_bootstrap
            size = fill(kafka, Backlog(sizes["messages"], sizes["metrics"], DEVICES))
            land = partial(_landed, Path(folder), kafka, sizes)
            taken, left_out = in_turns(land, runs, ways)
        finally:
            stack.run("down", check=False)
    there = tuple(way for way in ways if way not in left_out)
    return {**_figures(taken, there), "bytes_an_event": size, "left_out": left_out, **sizes}


def in_turns(
    land: Callable[[str, int], dict[str, object]], runs: int, ways: tuple[str, ...]
) -> tuple[list[Round], LeftOut]:
    """Land each way in each run; return what each run took, and which peers failed.

    A peer that fails is left out from then on: what all others took by then would be lost.
    """
    taken, left_out = list[Round](), LeftOut()
    for number in range(runs):
        found: Round = {}
        for way in (each for each in ways if each not in left_out):
            try:
                found[way] = land(way, number)
            except (subprocess.CalledProcessError, AssertionError) as error:
                if way not in NAMES:
                    raise
                left_out[way] = _why(error)
                sys.stderr.write(f"{way} is left out: {left_out[way]}\n")
        taken.append(found)
    return taken, left_out


def _why(error: subprocess.CalledProcessError | AssertionError) -> str:
    if isinstance(error, AssertionError):
        return str(error)
    return f"it ended with exit code {error.returncode}"


def _landed(folder: Path, kafka: str, sizes: Sizes, way: str, number: int) -> dict[str, object]:
    load, home = os.getloadavg()[0], folder / f"{way}-{number}"
    enrol(RegistryFiles(home / "registry"), sizes["metrics"], DEVICES)
    asked = [f"--{name}={sizes[name]}" for name in ("metrics", "warm", "batch")]
    command = [sys.executable, "-m", "benchmarks.lander", way, f"--home={home}"]
    done = subprocess.run(
        [*command, f"--kafka={kafka}", *asked],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=environment() if way in OURS else None,
    )
    written = checked_bytes(way, home / "lake", sizes["messages"], sizes["metrics"])
    taken = json.loads(done.stdout.splitlines()[-1])
    found = {**taken, "bytes_written": written / sizes["messages"], "load": load}
    sys.stderr.write(f"{sizes['metrics']} metrics, run {number}, {way}: {found}\n")
    return found


def _figures(taken: list[Round], ways: tuple[str, ...]) -> dict[str, object]:
    cpu_us = {way: _median(taken, way, "cpu_us") for way in ways}
    peers = [way for way in ways if way in NAMES]
    ratios = {way: cpu_us["ours"] / cpu_us[way] for way in peers if "ours" in cpu_us}
    bounded = {way: ratio for way, ratio in ratios.items() if way in LIMITS}
    return {
        **({"cpu_us_per_event": cpu_us["ours"]} if "ours" in cpu_us else {}),
        **{f"cpu_ratio_vs_{NAMES[way]}": ratio for way, ratio in ratios.items()},
        **_with_gold(cpu_us),
        **{f"{NAMES[way]}_of_limit": ratio / LIMITS[way] for way, ratio in bounded.items()},
        **{f"{way}_cpu_us_per_event": cost for way, cost in cpu_us.items()},
        **{f"{way}_events_per_s": _median(taken, way, "events_per_s") for way in ways},
        **{f"{way}_bytes_written": _median(taken, way, "bytes_written") for way in ways},
        "runs": len(taken),
        "load": [{way: load_of(each, way) for way in ways} for each in taken],
        "of_each_run": taken,
    }


def _with_gold(cpu_us: Mapping[str, float]) -> dict[str, float]:
    if not {"ours_gold", "spark_plain"} <= cpu_us.keys():
        return {}
    ratio = cpu_us["ours_gold"] / cpu_us["spark_plain"]
    name = "with_gold_vs_stock_spark_plain"
    return {f"cpu_ratio_{name}": ratio, f"{name}_of_limit": ratio / GOLD_LIMIT}


def load_of(taken: Round, way: str) -> float:
    """Return the machine's load when a way began."""
    return _number(taken, way, "load")


def _median(taken: list[Round], way: str, name: str) -> float:
    return statistics.median(_number(each, way, name) for each in taken)


def _number(taken: Round, way: str, name: str) -> float:
    value = taken[way]
    assert isinstance(value, dict)
    return float(value[name])


def rows(metrics: list[int], runs: int, sizes: Sizes, ways: tuple[str, ...]) -> Figures:
    """Return the figures of six metrics, or of the first, and a row for each number of them."""
    left_out: LeftOut = {}
    if "flink_plain" in ways and (why := flink_lander.prepare()):
        left_out = {"flink_plain": why}
        sys.stderr.write(f"Flink is left out: {why}\n")
        ways = tuple(way for way in ways if way != "flink_plain")
    found = {each: run(runs, {**sizes, "metrics": each}, ways) for each in metrics}
    main = found[6] if 6 in found else found[metrics[0]]
    failed = main["left_out"]
    assert isinstance(failed, dict)
    by_metrics = {str(each): figures for each, figures in found.items()}
    return {**main, "left_out": left_out | failed, "by_metrics": by_metrics}


def main() -> None:
    """Parse, run, report, draw."""
    options = parser(__doc__ or "")
    options.add_argument("--runs", type=count, default=5)
    options.add_argument("--messages", type=count, default=2_000_000)
    options.add_argument("--warm", type=int, default=800_000, help="messages before it counts")
    options.add_argument("--batch", type=count, default=200_000, help="messages a micro-batch")
    options.add_argument("--metrics", type=counts, default=[6], help="of a message: 1,6,50")
    options.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS, help="only these")
    given = options.parse_args()
    check_warm_up(options, given.messages, given.warm, given.batch)
    sizes = {name: getattr(given, name) for name in ("messages", "warm", "batch")}
    ways = tuple(way for way in WAYS if way in given.ways)
    figures = rows(given.metrics, given.runs, sizes, ways)
    report("landing", figures, given.out)
    by_metrics = figures["by_metrics"]
    if given.out and isinstance(by_metrics, dict):
        save(by_metrics, SHOWN, given.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
