"""Store what is usual for each device and metric in each hour of the week, from gold.device_hour.

The median of up to eight weeks' means, their median distance from it, and how far readings lie.
A version is the UTC date before which its hours lie; made again from the same hours it is the same.
"""

import argparse
import uuid
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import polars as pl

from spark_jobs.asked import ask
from spark_jobs.commit_info import Txn
from spark_jobs.jobs.job_runs import Result, recorded, utc_date
from spark_jobs.lake import Lake
from spark_jobs.session import session
from telemetry.settings import Settings
from telemetry.tables import BASELINES, DEVICE_HOUR

SQL = Path(__file__).parents[1] / "sql" / "baselines.sql"
WEEKS = 8
KEPT = 7
"""Newest versions that stay; what an anomaly was held against stands in its own row."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the version; the default is today."""
    parser.add_argument(
        "--version", type=utc_date, metavar="DATE", help="UTC date; only earlier hours"
    )


def run(arguments: argparse.Namespace, settings: Settings, lake: Lake) -> Result:
    """Replace one version, and drop the oldest."""

    def work(now: datetime) -> Result:
        version = arguments.version or now.date()
        end = datetime.combine(version, time(), UTC)
        times = {":start": end - timedelta(weeks=WEEKS), ":end": end}
        query = SQL.read_text()
        for name, moment in times.items():
            query = query.replace(name, f"timestamp'{moment.isoformat()}'")
        spark = session(settings, "headwater-baselines")
        rows = ask(spark, lake, query, [DEVICE_HOUR]).repartitionByRange("device_full", "metric")
        ordered = rows.sortWithinPartitions("device_full", "metric", "slot")
        named = f"version = date'{version}'"
        lake.rewrite(ordered, BASELINES, named, Txn(f"baselines/{uuid.uuid4().hex}", 0))
        return {"version": version, "dropped": _drop(lake), "tables": _told(lake, version)}

    return recorded(lake, "baselines", arguments, work)


def _drop(lake: Lake) -> list[str]:
    """Delete all but the newest versions, and return those that went."""
    versions = lake.files(BASELINES)["partition.version"].cast(pl.String).unique().sort()
    gone: list[str] = versions[:-KEPT].to_list()
    if gone:
        lake.delete(BASELINES, f"version <= date'{gone[-1]}'")
    return gone


def _told(lake: Lake, version: date) -> dict[str, object]:
    mine = lake.scan(BASELINES).filter(pl.col("version") == version)
    counted = mine.select(
        pl.len().alias("rows"), pl.struct("device_full", "metric").n_unique().alias("series")
    )
    return {BASELINES.name: counted.collect().row(0, named=True)}
