"""Event to silver at 20,000 messages/s, with Kafka and the generator on the same cores.

`make bench BENCH=fresh OUT=build/fresh.json`

Landing alone of the streams runs, a batch as soon as the one before it is over. Its own small
files are packed every few minutes, as an hourly job does on a stack that lands once a second; no
day is sorted, which is the night's work. What was sent is counted in silver by another reader
before a figure is printed.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import orjson
import polars as pl
from deltalake import DeltaTable

from benchmarks.freshness import Watcher
from benchmarks.open_days import pack_open
from benchmarks.report import Figures, minutes, parser, quantiles, report
from infra.processes import tree_pss_mb
from telemetry.settings import Settings
from telemetry.tables import MESSAGES, READINGS
from tests.end_to_end.stack import Stack, free_port_base

MINUTE = timedelta(minutes=1)
WARM_UP_S = 60
STEP_S = 10
PART = 30
LIMIT_P95_S, LIMIT_P999_S = 0.5, 2.0
LIMIT_MB = 3072
PACKED = (MESSAGES, READINGS)


@dataclass(slots=True)
class Seen:
    """What was looked at every ten seconds: lag, files of silver's partitions, memory."""

    lag: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    mb: list[int] = field(default_factory=list)
    samples: list[int] = field(default_factory=list)
    """How many messages' freshness was known by then."""


def run(rate: int, minutes: float, trigger_s: float, pack_every_s: float) -> Figures:
    """Start a broker and landing, warm them up, hold the rate, and count what has landed."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), free_port_base())
        stack.run("up", "--only", "kafka", timeout_s=600)
        landing = _start(stack, "spark_jobs.main", "stream", "--queries", "landing", s=trigger_s)
        try:
            return _measure(stack, landing.pid, rate, minutes * 60, pack_every_s)
        finally:
            landing.terminate()
            landing.wait(60)
            stack.run("down", check=False)


def _start(stack: Stack, *words: str, s: float | None = None) -> subprocess.Popen[bytes]:
    own = {} if s is None else {"HEADWATER_LANDING_TRIGGER_S": str(s)}
    environment = {**stack.environment, "HEADWATER_STACK_MODE": "full", **own}
    return subprocess.Popen(
        [sys.executable, "-m", *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def _measure(stack: Stack, landing: int, rate: int, for_s: float, pack_every_s: float) -> Figures:
    silver = stack.home / "lake" / "silver" / "readings"
    _wait_for(lambda: _progress(stack).get("state") == "running")
    sizes = ["--devices", "1000", "--rate", str(rate), "--for", f"{for_s + WARM_UP_S:.0f}s"]
    fleet = _start(stack, "simulator", "simulate", "clean", *sizes, "--seed", "1", "--quiet")
    time.sleep(WARM_UP_S)
    watcher, seen, load = Watcher(stack.home / "lake", {}), Seen(), os.getloadavg()[0]
    thread = ThreadPoolExecutor(1)
    packing = thread.submit(_pack, str(stack.home / "lake"), for_s, pack_every_s)
    watcher.start()
    try:
        for _ in range(int(for_s / STEP_S)):
            time.sleep(STEP_S)
            seen.samples.append(len(watcher.seen.event_to_silver_s))
            seen.lag.append(int(str(_progress(stack).get("lag_messages", 0))))
            seen.files.append(len(DeltaTable(silver).file_uris()))
            seen.mb.append(tree_pss_mb(landing) or 0)
        fresh = watcher.stop().event_to_silver_s
        packing.result()
        sent = orjson.loads(fleet.communicate(timeout=120)[0])["acked"]
    finally:
        fleet.kill()
    _wait_for(lambda: _progress(stack).get("lag_messages") == 0)
    return _figures(seen, fresh) | _counted(silver, sent) | {"rate": rate, "load": load}


def _pack(root: str, for_s: float, every_s: float) -> None:
    until = time.monotonic() + for_s
    while time.monotonic() + every_s < until:
        time.sleep(every_s)
        apart = multiprocessing.get_context("spawn").Process(target=pack_open, args=(root, PACKED))
        apart.start()
        apart.join()
        assert apart.exitcode == 0


def _progress(stack: Stack) -> dict[str, object]:
    file = Settings(home=stack.home).progress_dir / "landing.json"
    found: dict[str, object] = orjson.loads(file.read_bytes()) if file.exists() else {}
    return found


def _wait_for(is_so: Callable[[], bool], for_s: float = 120) -> None:
    until = time.monotonic() + for_s
    while not is_so():
        assert time.monotonic() < until, "landing did not come so far"
        time.sleep(0.5)


def _counted(silver: Path, sent: int) -> dict[str, object]:
    """Count messages and keys, a minute at a time: a reading that is there twice has one time."""
    rows = pl.scan_delta(str(silver))
    ends = rows.select(first=pl.col("event_time").min(), last=pl.col("event_time").max())
    first, last = ends.collect(engine="streaming").row(0)
    messages = found = keys = 0
    while first <= last:
        minute = pl.col("event_time").is_between(first, first + MINUTE, closed="left")
        each = rows.filter(minute).group_by("partition", "offset")
        counts = each.agg(readings=pl.len(), metrics=pl.col("metric").n_unique())
        summed = counts.select(pl.len().alias("messages"), pl.col("readings", "metrics").sum())
        more = summed.collect(engine="streaming").row(0)
        messages, found, keys = messages + more[0], found + more[1], keys + more[2]
        first += MINUTE
    assert messages == sent, f"{messages} messages in silver of {sent} that were acknowledged"
    assert keys == found, f"{found - keys} readings are in silver twice"
    return {"sent": sent, "readings": found}


def _figures(seen: Seen, fresh: list[float]) -> dict[str, object]:
    silver, half = quantiles(fresh), len(seen.lag) // 2
    p999 = sorted(fresh)[round((len(fresh) - 1) * 0.999)]
    return {
        **{f"event_to_silver_{name}_s": value for name, value in silver.items()},
        "event_to_silver_p999_s": p999,
        "p95_by_five_minutes_s": [
            round(quantiles(fresh[first:last])["p95"], 3)
            for first, last in pairwise([0, *seen.samples[PART - 1 :: PART]])
        ],
        "p95_of_limit": silver["p95"] / LIMIT_P95_S,
        "p999_of_limit": p999 / LIMIT_P999_S,
        "lag_first_half_mean": sum(seen.lag[:half]) / half,
        "lag_second_half_mean": sum(seen.lag[half:]) / (len(seen.lag) - half),
        "files_max": max(seen.files),
        "files_end": seen.files[-1],
        "pss_mb_first_half_max": max(seen.mb[:half]),
        "pss_mb_max": max(seen.mb),
        "pss_of_limit": max(seen.mb) / LIMIT_MB,
        "minutes": len(seen.lag) * STEP_S / 60,
    }


def main() -> None:
    """Parse, run, report."""
    options = parser(__doc__ or "")
    options.add_argument("--rate", type=int, default=20_000, help="messages a second")
    options.add_argument("--minutes", type=minutes, default=60, help="after one of warm-up")
    options.add_argument("--trigger", type=float, default=0.05, help="least seconds of a batch")
    options.add_argument("--pack-every", type=float, default=300, help="seconds")
    given = options.parse_args()
    report("fresh", run(given.rate, given.minutes, given.trigger, given.pack_every), given.out)


if __name__ == "__main__":
    main()
