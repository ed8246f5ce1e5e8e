"""Judge the records of a range of dates again, and land of them what silver lacks."""

import argparse
from collections import Counter
from collections.abc import Iterator
from datetime import datetime

import polars as pl
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from spark_jobs.jobs.alone import alone
from spark_jobs.jobs.job_runs import Days, Result, add_dates, asked_days, recorded
from spark_jobs.jobs.landing import Landing
from spark_jobs.lake import Lake
from spark_jobs.session import session
from spark_jobs.transforms.records import as_records
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from telemetry.tables import MESSAGES

CHUNK = 100_000
LANDING = "landing"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the dates, by which bronze was received."""
    add_dates(parser)


def run(arguments: argparse.Namespace, settings: Settings, lake: Lake) -> Result:
    """Backfill while landing does not run, since both decide what is the first copy."""
    days = asked_days(arguments)
    if days is None:
        raise HeadwaterError("a backfill needs dates: --from 2026-11-01 --to 2026-11-21")
    with alone(settings, LANDING):
        return recorded(lake, "backfill", arguments, lambda _: _backfill(settings, lake, days))


def _backfill(settings: Settings, lake: Lake, days: Days) -> Result:
    landing = Landing(settings, lake)
    spark = session(settings, "headwater-backfill")
    added: Counter[str] = Counter()
    for first, until in _spans(lake, days):
        added.update(landing.land_again(_records(spark, lake, days, first, until)))
    return {"added": dict(added)}


def _spans(lake: Lake, days: Days) -> Iterator[tuple[datetime, datetime | None]]:
    """Yield spans of Kafka time of about `CHUNK` records, in order, so that first copies win."""
    dated = lake.scan(MESSAGES).filter(pl.col("received_date").is_between(days.first, days.last))
    times = dated.select(pl.col("kafka_time").sort()).collect()["kafka_time"]
    starts = times.gather_every(CHUNK).unique(maintain_order=True).to_list()
    yield from zip(starts, [*starts[1:], None], strict=True)


def _records(
    spark: SparkSession, lake: Lake, days: Days, first: datetime, until: datetime | None
) -> DataFrame:
    """Return the records as the sources show them."""
    messages = lake.frame(spark, MESSAGES).where(days.where("received_date"))
    spanned = messages.where(F.col("kafka_time") >= F.lit(first))
    if until is not None:
        spanned = spanned.where(F.col("kafka_time") < F.lit(until))
    return as_records(spanned)
