"""Rewrite partitions of many small files into few: closed ones sorted, the newest one only packed.

Gold packs its open partitions itself, between two batches, so here only its closed ones are.
"""

import argparse
import logging
from datetime import date, datetime

import polars as pl
from pyspark.sql import SparkSession

from spark_jobs.jobs.gold_tables import WINDOW_TABLES
from spark_jobs.jobs.job_runs import LostError, Result, recorded, tried
from spark_jobs.jobs.partitions import condition, date_column, last_day
from spark_jobs.lake import Lake
from spark_jobs.session import session
from telemetry.settings import Settings
from telemetry.tables import TABLES, Table

SMALL_BYTES = 64 * 1024 * 1024
CLOSED_FILES, OPEN_FILES = 2, 8
log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare which tables; the default is all."""
    parser.add_argument("--tables", nargs="*", metavar="SCHEMA.TABLE", help="only these tables")


def run(arguments: argparse.Namespace, settings: Settings, lake: Lake) -> Result:
    """Compact whatever has enough small files."""

    def work(now: datetime) -> Result:
        spark = session(settings, "headwater-compact")
        chosen = [table for table in TABLES if table.name in (arguments.tables or [table.name])]
        found = {table.name: _compact(spark, lake, table, now.date()) for table in chosen}
        return {"tables": {name: figures for name, figures in found.items() if figures}}

    return recorded(lake, "compact", arguments, work)


def _compact(spark: SparkSession, lake: Lake, table: Table, today: date) -> dict[str, object]:
    before = lake.files(table).height
    figures: dict[str, object] = {}
    kinds = {"closed": True} if table in WINDOW_TABLES else {"closed": True, "open": False}
    for name, is_closed in kinds.items():
        partitions = _crowded(lake, table, today, is_closed=is_closed)
        if partitions is not None:
            statement = _statement(lake, table, partitions, is_closed=is_closed)
            figures[name if _optimize(spark, statement) else "left"] = len(partitions)
    return {**figures, "files": [before, lake.files(table).height]} if figures else {}


def _optimize(spark: SparkSession, statement: str) -> bool:
    """Optimize; return False if other writers were faster each time, and it is left as it was."""
    try:
        tried(lambda: spark.sql(statement), statement.split(" where ")[0])
    except LostError:
        log.warning("left for the next run: %s", statement)
        return False
    return True


def _crowded(lake: Lake, table: Table, today: date, *, is_closed: bool) -> pl.DataFrame | None:
    """Return the partitions with too many small files; None if there is none."""
    small = lake.files(table).filter(pl.col("size") < SMALL_BYTES)
    names = {f"partition.{name}": name for name in table.partition_by}
    counted = small.rename(names).group_by(table.partition_by or pl.lit(value=True)).len("files")
    dated = date_column(table)
    closed = [
        dated is not None and last_day(table, row[dated]) < today
        for row in counted.iter_rows(named=True)
    ]
    least = CLOSED_FILES if is_closed else OPEN_FILES
    wanted = (pl.Series(closed, dtype=pl.Boolean) == is_closed) & (counted["files"] >= least)
    chosen = counted.filter(wanted).drop("files")
    return None if chosen.is_empty() else chosen


def _statement(lake: Lake, table: Table, partitions: pl.DataFrame, *, is_closed: bool) -> str:
    where = f" where {condition(table, partitions)}" if date_column(table) else ""
    order = f" zorder by ({', '.join(table.cluster_by)})" if is_closed and table.cluster_by else ""
    return f"optimize delta.`{lake.uri(table)}`{where}{order}"
