"""CPU per event of our landing as devices, metrics, late share, partitions, cores and age grow.

`make bench BENCH=growth OUT=build/growth.json`

One figure grows at a time; all others are those of the first point. Each point is a topic and a
home of its own, and is measured as `landing` is: after a warm-up, the whole process tree. Tables
are counted before a figure is printed. A picture of each curve is written beside OUT;
`--curves devices late` takes only these, `--points devices=1000,100000` only these of one.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from benchmarks.as_started import environment
from benchmarks.backlog import Backlog, enrol, fill
from benchmarks.growth_plot import save
from benchmarks.marks import check_warm_up
from benchmarks.older_days import grow_old
from benchmarks.report import count, parser, report
from edge.registry_files import RegistryFiles
from telemetry.settings import Settings
from telemetry.topics import TELEMETRY
from tests.end_to_end.stack import Stack, free_port_base

CURVES = {
    "devices": (1_000, 10_000, 100_000, 1_000_000),
    "metrics": (1, 6, 20, 50),
    "late_percent": (0, 5, 20),
    "partitions": (1, 2, 4),
    "cores": (1, 2),
    "age_days": (1, 30, 400),
}
FIRST = {
    "devices": 1_000,
    "metrics": 6,
    "late_percent": 0,
    "partitions": 4,
    "cores": 2,
    "age_days": 1,
}
LEAST = {"late_percent": 0}
"""Of a point, where that is not 1."""
LIMIT_MILLION_OF_THOUSAND = 1.3
Point = Mapping[str, int]
Curves = Mapping[str, tuple[int, ...]]


def run(curves: Curves, sizes: Mapping[str, int]) -> dict[str, object]:
    """Measure every point once, also one that several curves share."""
    taken: dict[tuple[tuple[str, int], ...], dict[str, object]] = {}
    found: dict[str, dict[str, dict[str, object]]] = {}
    for name, values in curves.items():
        found[name] = {}
        for value in values:
            point = {**FIRST, name: value}
            key = tuple(point.items())
            taken[key] = taken.get(key) or _measured(point, sizes)
            found[name][str(value)] = taken[key]
    costs = {name: {at: one["cpu_us"] for at, one in row.items()} for name, row in found.items()}
    return {"cpu_us_per_event": costs, **_of_limit(costs), "points": found, **sizes}


def _of_limit(costs: Mapping[str, Mapping[str, object]]) -> dict[str, float]:
    ends = [costs.get("devices", {}).get(at) for at in ("1000", "1000000")]
    if not all(isinstance(end, float) for end in ends):
        return {}
    thousand, million = (float(str(end)) for end in ends)
    ratio = million / thousand
    return {"million_of_thousand_devices": ratio, "of_limit": ratio / LIMIT_MILLION_OF_THOUSAND}


def _measured(point: Point, sizes: Mapping[str, int]) -> dict[str, object]:
    share = point["late_percent"]
    backlog = Backlog(
        sizes["messages"],
        point["metrics"],
        point["devices"],
        late_every=100 // share if share else 0,
        partitions=point["partitions"],
    )
    with tempfile.TemporaryDirectory() as folder, filled(Path(folder), backlog) as kafka:
        home = Path(folder) / "landed"
        grow_old(Settings(home=home).lake_root, point["age_days"], datetime.now(UTC).date())
        found = landed(home, kafka, backlog, sizes, point["cores"])
    sys.stderr.write(f"{dict(point)}: {found}\n")
    return found


@contextmanager
def filled(folder: Path, backlog: Backlog) -> Iterator[str]:
    """Start a broker that holds a backlog; yield where it is."""
    stack = Stack(folder, free_port_base())
    stack.run("up", "--only", "kafka", timeout_s=600)
    try:
        kafka = Settings(home=stack.home, port_base=stack.port_base).kafka_bootstrap
        fill(kafka, backlog)
        yield kafka
    finally:
        stack.run("down", check=False)


def landed(
    home: Path, kafka: str, backlog: Backlog, sizes: Mapping[str, int], cores: int
) -> dict[str, object]:
    """Land a backlog in a home of its own, count its tables, and return what it cost."""
    load = os.getloadavg()[0]
    enrol(RegistryFiles(home / "registry"), backlog.metrics, backlog.devices)
    asked = [f"--metrics={backlog.metrics}", f"--warm={sizes['warm']}", f"--batch={sizes['batch']}"]
    command = [sys.executable, "-m", "benchmarks.lander", "ours", f"--home={home}"]
    done = subprocess.run(
        [*command, f"--kafka={kafka}", *asked],
        env={**environment(), "HEADWATER_SPARK_CORES": str(cores)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    _check(home / "lake", backlog)
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found | {"load": load}


def _check(lake: Path, backlog: Backlog) -> None:
    late = sum(backlog.is_late(event) for event in range(backlog.events))
    on_time = backlog.events - late
    expected = {
        "bronze/messages": (backlog.events, backlog.events),
        "silver/readings": (on_time * backlog.metrics, on_time),
        "silver/late": (None, late),
    }
    for name, (rows, messages) in expected.items():
        table = pl.scan_delta(str(lake / name)).filter(pl.col("topic") == TELEMETRY.name)
        found = table.select(pl.len(), m=pl.struct("partition", "offset").n_unique())
        count, distinct = found.collect(engine="streaming").row(0)
        assert rows in (None, count), f"{count} rows in {name}, {rows} are right"
        assert distinct == messages, f"{distinct} messages in {name}, {messages} are right"


def points(text: str) -> tuple[str, tuple[int, ...]]:
    """Return a curve's name and its points, which are given as `devices=1000,100000`."""
    name, _, values = text.partition("=")
    if name not in CURVES:
        raise argparse.ArgumentTypeError(f"no curve is named {name!r}: {', '.join(CURVES)}")
    said = [int(each) if each.isdecimal() else -1 for each in values.split(",")]
    if min(said) < LEAST.get(name, 1):
        raise argparse.ArgumentTypeError(f"{text!r}: write {name}=1,20, numbers with commas")
    if name == "late_percent" and any(share and 100 % share for share in said):
        raise argparse.ArgumentTypeError(
            f"{text!r}: one in so many is late, so 100 / share is whole"
        )
    return name, tuple(said)


def main() -> None:
    """Parse, run, report, draw."""
    options = parser(__doc__ or "")
    options.add_argument("--messages", type=count, default=500_000)
    options.add_argument("--warm", type=int, default=250_000, help="messages before it counts")
    options.add_argument("--batch", type=count, default=100_000, help="messages a micro-batch")
    options.add_argument("--curves", nargs="+", choices=CURVES, default=[*CURVES])
    options.add_argument("--points", nargs="+", type=points, default=[], metavar="CURVE=1,20")
    given = options.parse_args()
    check_warm_up(options, given.messages, given.warm, given.batch)
    sizes = {name: getattr(given, name) for name in ("messages", "warm", "batch")}
    asked = {**CURVES, **dict(given.points)}
    found = run({name: asked[name] for name in CURVES if name in given.curves}, sizes)
    report("growth", found, given.out)
    costs = found["cpu_us_per_event"]
    if given.out and isinstance(costs, dict):
        for name, curve in costs.items():
            save(name, curve, given.out.with_name(f"{given.out.stem}-{name}.png"))


if __name__ == "__main__":
    main()
