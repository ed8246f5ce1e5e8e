"""A home whose lake landing and gold made, and replays of it that are cut short."""

import argparse
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import orjson
import polars as pl
from pyspark.sql import SparkSession

from edge.registry_files import RegistryFiles
from spark_jobs.commit_info import Txn
from spark_jobs.jobs import replay
from spark_jobs.jobs.gold import Gold
from spark_jobs.jobs.job_runs import Result
from spark_jobs.jobs.landing import Landing
from spark_jobs.jobs.landing_queries import RECORDS
from spark_jobs.lake import Frame, Lake
from spark_jobs.reading_rows import ReadingRows
from spark_jobs.table_files import NOTHING_ALONG, Along, Change
from telemetry.products import Sliding
from telemetry.settings import Settings
from telemetry.tables import (
    CONFLICTS,
    DUPLICATES,
    LATE,
    READINGS,
    REJECTED,
    Table,
)
from tests.spark_jobs.landing_fleet import (
    METER,
    NOW,
    SECOND,
    Fleet,
    enrol,
    write_segment,
)

SILVER = (READINGS, LATE, REJECTED, DUPLICATES, CONFLICTS)
BATCHES, SIZE = 4, 60
DAY = ("--from", "2026-11-21", "--to", "2026-11-21")


def make_home(spark: SparkSession, home: Path) -> Settings:
    """Return a home whose lake landing filled over some batches, gold made of it."""
    settings = Settings(home=home, dedup_recent_keys=50)
    enrol(settings.registry_dir)
    RegistryFiles(settings.registry_dir).put_product(
        replace(METER, sliding=Sliding(), session_gap=timedelta(minutes=2))
    )
    # Of this one no message that a schema fix takes up comes before another copy of its key, which
    # a replay in order would have for the second.
    lake, fleet = Lake(settings.lake_root), Fleet(15)
    lake.create_all()
    for batch in range(BATCHES):
        landing = Landing(settings, lake)
        at = NOW + batch * 1800 * SECOND
        path = write_segment(settings.spool_dir, list(fleet.batch(SIZE, at)), batch * SIZE, at)
        frame = spark.read.schema(RECORDS).parquet(str(path))
        landing.land(frame, Txn("landing_spool/1", batch))
    make_gold(settings)
    return settings


def make_gold(settings: Settings) -> None:
    """Make gold of all of silver, as after a lost checkpoint."""
    lake = Lake(settings.lake_root)
    for table in (READINGS, LATE):
        # A stream would take up a last append; a rewrite it passes over.
        lake.replace(table, lake.scan(table).collect(), None, None)
    shutil.rmtree(settings.checkpoint_dir / "gold", ignore_errors=True)
    Gold(lake, settings).prepare()


def copied(made: Settings, home: Path) -> Settings:
    """Return a copy of a home, to be damaged."""
    shutil.copytree(made.home, home)
    return Settings(home=home, dedup_recent_keys=50)


def run(settings: Settings, *words: str, lake: Lake | None = None) -> Result:
    parser = argparse.ArgumentParser()
    replay.add_arguments(parser)
    result = replay.run(parser.parse_args(words), settings, lake or Lake(settings.lake_root))
    assert orjson.dumps(result, default=str)
    return result


class BreakingLake(Lake):
    """Breaks before one of its commits."""

    def __init__(self, root: str, commits: int) -> None:
        super().__init__(root)
        self.commits = commits

    def _one_less(self) -> None:
        self.commits -= 1
        if self.commits < 0:
            raise OSError("broken")

    def append(
        self,
        table: Table,
        frame: Frame | ReadingRows,
        txn: Txn | None,
        info: Mapping[str, str] | None = None,
        along: Along = NOTHING_ALONG,
    ) -> bool:
        self._one_less()
        return super().append(table, frame, txn, info, along)

    def replace(
        self,
        table: Table,
        frame: Frame,
        predicate: str | None,
        txn: Txn | None,
        info: Mapping[str, str] | None = None,
    ) -> bool:
        self._one_less()
        return super().replace(table, frame, predicate, txn, info)

    def update(
        self,
        table: Table,
        change: Callable[[pl.LazyFrame], Change | None],
        txn: Txn | None,
        info: Mapping[str, str] | None = None,
    ) -> int | None:
        self._one_less()
        return super().update(table, change, txn, info)


def killed_and_run_again(settings: Settings, *words: str) -> int:
    """Run a replay that is cut short before each second commit until it ends; count the cuts."""
    for cuts in range(20):
        try:
            run(settings, *words, lake=BreakingLake(settings.lake_root, 1))
        except OSError:
            continue
        return cuts
    raise AssertionError("it never ends")


def damage(settings: Settings, table: Table, rows: pl.Expr, *changes: pl.Expr) -> int:
    """Change rows behind everyone's back, or delete them; return how many they are."""
    lake = Lake(settings.lake_root)
    found = lake.scan(table).collect()
    hit = found.filter(rows)
    kept = found.filter(~rows)
    whole = pl.concat([kept, hit.with_columns(*changes)]) if changes else kept
    lake.replace(table, whole, None, None)
    return len(hit)
