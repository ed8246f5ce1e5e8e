"""What a batch of gold costs: reading its files, reducing them, merging every table.

`make bench BENCH=gold OUT=build/gold.json`

The fleet is the one of BENCH=sustained: 1,000 devices of five products, 5,000 messages/s of three
readings, batches of four seconds, minutes and hours that end within the run. The peer is the least
that any engine would do: one group-by of the same files a batch, which keeps nothing. What gold
holds in the end is held against a group-by of all of silver before a figure is printed.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl
import pyarrow as pa

from benchmarks.report import Figures, count, parser, report
from spark_jobs.commit_info import Txn
from spark_jobs.gold_state import Position
from spark_jobs.jobs.gold_tables import TABLES, GoldTables
from spark_jobs.lake import Lake
from spark_jobs.planned_files import PlannedFiles, Unread, planned_files
from spark_jobs.transforms.partials import READING_COLUMNS
from spark_jobs.transforms.reduction import reduced, unpacked
from spark_jobs.transforms.rules import WATERMARKS, rules, watermarks
from telemetry.products import Product, Sliding
from telemetry.tables import DEVICE_MINUTE, DEVICE_WINDOWS, READINGS, ZONE_WINDOWS
from tests.spark_jobs.silver_rows import silver

SIZES = {"meter": 400, "room": 250, "machine": 200, "vehicle": 100, "probe": 50}
PRODUCTS = (
    Product(
        "meter",
        lateness=timedelta(seconds=30),
        sliding=Sliding(timedelta(hours=1), timedelta(minutes=5)),
    ),
    Product("room", lateness=timedelta(seconds=5)),
    Product("machine", lateness=timedelta(seconds=2), session_gap=timedelta(minutes=5)),
    Product("vehicle", lateness=timedelta(seconds=10)),
    Product("probe", lateness=timedelta(seconds=60)),
)
START = datetime(2026, 10, 20, 11, 57, tzinfo=UTC)
SECONDS, MESSAGES_PER_S = 4, 5_000
METRICS = ("a", "b", "c")
_SUBJECT = ("tenant", "product", "device_full", "metric")
Done = TypeVar("Done")


def run(batches: int, warm: int) -> Figures:
    """Land, then read, reduce and merge batch after batch; the first ones warm up."""
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(folder)
        for table in (READINGS, *TABLES):
            lake.create(table)
        fleet, gold = _Fleet(), _Gold(lake)
        for _ in range(batches + warm):
            lake.append(READINGS, silver(fleet.readings(), READINGS), None)
            gold.advance()
        _check(lake)
    return gold.figures(warm)


class _Fleet:
    def __init__(self) -> None:
        self._dice = np.random.default_rng(1)
        self._products = np.repeat([*SIZES], [*SIZES.values()])
        self._batch = 0

    def readings(self) -> pl.DataFrame:
        """Return the readings of the next batch."""
        count = SECONDS * MESSAGES_PER_S
        device = self._dice.integers(0, len(self._products), count)
        late_us = np.sort(self._dice.integers(0, SECONDS * 1_000_000, count))
        at = np.datetime64(START.replace(tzinfo=None), "us") + late_us.astype("timedelta64[us]")
        at += np.timedelta64(self._batch * SECONDS, "s")
        messages = pl.DataFrame(
            {
                "product": self._products[device],
                "device_full": [f"d-{number}" for number in device],
                "zone": [f"zone-{number % 12}" for number in device],
                "seq": np.arange(count) + self._batch * count,
                "event_time": pl.Series(at).dt.replace_time_zone("UTC"),
                "received_at": pl.Series(at + np.timedelta64(30, "ms")).dt.replace_time_zone("UTC"),
            }
        ).with_columns(
            tenant=pl.lit("default"), boot=pl.lit("b"), retention_class=pl.lit("default")
        )
        self._batch += 1
        values = (pl.Series(self._dice.normal(20, 1, count)) for _ in METRICS)
        return pl.concat(
            messages.with_columns(metric=pl.lit(metric), value=value)
            for metric, value in zip(METRICS, values, strict=True)
        )


class _Gold:
    def __init__(self, lake: Lake) -> None:
        self._lake, self._tables, self._rules = lake, GoldTables(lake), rules(PRODUCTS)
        self._marks = pl.DataFrame(schema=WATERMARKS)
        self._tables.find_open(watermarks([self._marks], self._rules), self._marks)
        self._read = Position(0)
        self._cpu: dict[str, list[float]] = {"group_by": [], "read_and_reduce": [], "merge": []}
        self.rows = 0

    def advance(self) -> None:
        """Take up what silver has gained, and note what each part took."""
        until = Position(self._lake.table(READINGS).version() + 1)
        unread = Unread(self._lake.uri(READINGS), READINGS.name, self._read, until)
        files = planned_files([unread], READING_COLUMNS, most_tasks=1)
        self._timed("group_by", lambda: _plain(files))
        packed = self._timed("read_and_reduce", lambda: list(reduced(files.frames(0), self._rules)))
        parts = unpacked(pa.Table.from_batches(packed), self._rules)
        self._marks = watermarks([self._marks, parts.highest], self._rules)
        txn = Txn("gold/benchmark", until.version)
        written = self._timed(
            "merge", lambda: self._tables.merge(parts, self._rules, self._marks, txn)
        )
        self.rows = sum(written.values())
        self._read = until

    def _timed(self, part: str, work: Callable[[], Done]) -> Done:
        started = time.process_time()
        done = work()
        self._cpu[part].append(time.process_time() - started)
        return done

    def figures(self, warm: int) -> Figures:
        """Return medians over the batches behind the warm-up, in seconds of CPU."""
        cpu = {part: statistics.median(taken[warm:]) for part, taken in self._cpu.items()}
        ours = cpu["read_and_reduce"] + cpu["merge"]
        readings = SECONDS * MESSAGES_PER_S * len(METRICS)
        return {
            **{f"{part}_cpu_s": seconds for part, seconds in cpu.items()},
            "merge_longest_cpu_s": max(self._cpu["merge"][warm:]),
            "rows_written_a_batch": self.rows,
            "cpu_us_a_reading": ours / readings * 1_000_000,
            "of_group_by": ours / cpu["group_by"],
            "batches": len(self._cpu["merge"]) - warm,
            "load": os.getloadavg()[0],
        }


def _check(lake: Lake) -> None:
    """Hold the minutes against silver, and what wider windows and zones count in all."""
    silver_rows = pl.scan_delta(lake.uri(READINGS))
    value, start = pl.col("value"), pl.col("event_time").dt.truncate("1m").alias("window_start")
    said = {"count": pl.len(), "sum": value.sum(), "min": value.min(), "max": value.max()}
    right = silver_rows.group_by(*_SUBJECT, start).agg(**said)
    found = pl.scan_delta(lake.uri(DEVICE_MINUTE)).select(*_SUBJECT, "window_start", *said)
    both = found.join(right, on=[*_SUBJECT, "window_start"], how="full", suffix="_right").collect()
    for name in said:
        apart = (both[name] - both[f"{name}_right"]).abs()
        assert apart.null_count() == 0, f"minutes that one of silver and gold lacks: {name}"
        assert (apart <= 1e-9 * both[name].abs() + 1e-9).all(), f"minutes of another {name}"
    readings = right.select(pl.col("count").sum()).collect().item()
    for table in (*DEVICE_WINDOWS.values(), *ZONE_WINDOWS.values()):
        counted = pl.scan_delta(lake.uri(table)).select(pl.col("count").sum()).collect().item()
        assert counted == readings, f"{counted} readings in {table.name}, {readings} are right"


def _plain(files: PlannedFiles) -> pl.DataFrame:
    paths = [Path(file.uri) / file.path for task in files.tasks for file in task]
    value = pl.col("value")
    minute = pl.col("event_time").dt.truncate("1m")
    return (
        pl.scan_parquet(paths)
        .group_by("tenant", "product", "device_full", "metric", minute)
        .agg(count=pl.len(), sum=value.sum(), least=value.min(), most=value.max())
        .collect()
    )


def main() -> None:
    """Parse, run, report."""
    options = parser(__doc__ or "")
    options.add_argument("--batches", type=count, default=40, help="after the warm-up")
    options.add_argument("--warm", type=int, default=8, help="batches before")
    given = options.parse_args()
    report("gold", run(given.batches, given.warm), given.out)


if __name__ == "__main__":
    main()
