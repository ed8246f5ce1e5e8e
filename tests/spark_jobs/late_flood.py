"""A fleet of which some rows come ten times later than their lateness, as gold merges it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import polars as pl

from spark_jobs.commit_info import Txn
from spark_jobs.jobs.gold_tables import WINDOW_TABLES, GoldTables
from spark_jobs.lake import Lake
from spark_jobs.transforms import delays, marks
from spark_jobs.transforms.finality import due
from spark_jobs.transforms.reduction import reduction
from spark_jobs.transforms.rules import WATERMARKS, rules, watermarks
from telemetry.tables import SESSIONS, Table
from tests.spark_jobs.gold_fleet import METER, PRODUCTS, fleet

RULES = rules(PRODUCTS)
assert METER.lateness is not None
TEN_TIMES_LATER = 10 * METER.lateness


def flood(seed: int, messages: int, span_s: int, share: float) -> pl.DataFrame:
    """Return readings in time, but for a share that comes ten times later than it may."""
    readings = fleet(seed, messages, span_s)
    dice = np.random.default_rng(seed + 1)
    is_late = pl.Series(dice.random(messages) < share).gather(readings["seq"])
    delay = (
        pl.when(is_late)
        .then(TEN_TIMES_LATER + timedelta(seconds=1))
        .otherwise(timedelta(seconds=1))
    )
    return readings.with_columns(received_at=pl.col("event_time") + delay)


def by_arrival(readings: pl.DataFrame, every: timedelta) -> Iterator[pl.DataFrame]:
    """Yield the batches that gold reads: readings by when they were received."""
    batch = pl.col("received_at").dt.truncate(every).alias("batch")
    for _, some in readings.sort("received_at").group_by(batch, maintain_order=True):
        yield some


@dataclass
class Watched:
    """Merges batches as gold does, and holds each file that goes against what was touched."""

    lake: Lake
    rewritten: int = 0
    untouched: list[tuple[str, int, str]] = field(default_factory=list)
    watermarks: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=WATERMARKS))

    def __post_init__(self) -> None:
        self.tables = GoldTables(self.lake)
        self.tables.find_open(watermarks([self.watermarks], RULES), self.watermarks)

    def merge(self, batch_id: int, batch: pl.DataFrame) -> None:
        """Merge one batch; a file that goes holds a window that it touches, or that ended."""
        parts = reduction(batch, delays.messages(batch), RULES)
        after = watermarks([self.watermarks, parts.highest], RULES)
        before = {table: self.lake.table(table).version() for table in WINDOW_TABLES}
        self.tables.merge(parts, RULES, after, Txn("gold/flood", batch_id))
        minutes = marks.windows_of(marks.of_rows(batch), "1m").select(marks.MINUTES)
        touched = marks.touched(minutes, RULES)
        for table in WINDOW_TABLES:
            for path in self._gone(table, before[table]):
                self.rewritten += 1
                rows = self._content(table, path)
                is_ended = due(rows.filter(~pl.col("is_final")), after).height
                if not is_ended and not self._is_touched(table, rows, touched, batch):
                    self.untouched.append((table.name, batch_id, path))
        self.watermarks = after

    def _gone(self, table: Table, before: int) -> Iterator[str]:
        """Yield the files that versions since then took away, but those packed into one."""
        for version in range(before + 1, self.lake.table(table).version() + 1):
            log = Path(self.lake.uri(table)) / "_delta_log" / f"{version:020d}.json"
            actions = [json.loads(line) for line in log.read_text().splitlines()]
            is_packing = any("packed" in action.get("commitInfo", {}) for action in actions)
            changes = [
                action[kind] for action in actions for kind in ("add", "remove") if kind in action
            ]
            assert {change["dataChange"] for change in changes} == {not is_packing}
            if not is_packing:
                yield from (
                    unquote(action["remove"]["path"]) for action in actions if "remove" in action
                )

    def _content(self, table: Table, path: str) -> pl.DataFrame:
        return pl.read_parquet(f"{self.lake.uri(table)}/{path}", hive_partitioning=True)

    def _is_touched(
        self,
        table: Table,
        rows: pl.DataFrame,
        touched: Mapping[str, pl.DataFrame],
        batch: pl.DataFrame,
    ) -> bool:
        if table != SESSIONS:
            keys = touched[table.name]
            return bool(rows.join(keys, on=keys.columns, how="semi").height)
        gap = METER.session_gap
        series = batch.select("tenant", "product", "device_full", "metric", "event_time")
        near = rows.join(series, on=["tenant", "product", "device_full", "metric"], how="inner")
        at = pl.col("event_time")
        return bool(
            near.filter(at >= pl.col("window_start") - gap, at <= pl.col("window_end")).height
        )
