"""Judge the records of a range of dates again, and land of them what silver lacks.

Gold may have counted it before silver lost it, so the days that gain rows are made again from all
of silver. What retention has dropped, or will with its next run, stays out.
"""

import argparse
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from functools import partial

import polars as pl
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from spark_jobs.jobs.alone import alone
from spark_jobs.jobs.backfilled import Backfilled
from spark_jobs.jobs.job_runs import Days, Result, add_dates, asked_days, recorded
from spark_jobs.jobs.landing import Again, Landing
from spark_jobs.jobs.replay_expired import Expired
from spark_jobs.jobs.restating import restate, runs_of_days
from spark_jobs.lake import Lake
from spark_jobs.session import session
from spark_jobs.table_files import RESTATED
from spark_jobs.transforms import time_cuts
from spark_jobs.transforms.judgement import Judgement
from spark_jobs.transforms.records import as_records
from telemetry.errors import WrongUseError
from telemetry.settings import Settings
from telemetry.tables import MESSAGES

CHUNK = 100_000
LANDING, REASON = "landing", "backfill"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the dates, by which bronze was received."""
    add_dates(parser)


def run(arguments: argparse.Namespace, settings: Settings, lake: Lake) -> Result:
    """Backfill while landing does not run, since both decide what is the first copy."""
    days = asked_days(arguments)
    if days is None:
        raise WrongUseError("a backfill needs dates: --from 2026-11-01 --to 2026-11-21")
    with alone(settings, LANDING):
        work = partial(land_lacking, settings, lake, days)
        return recorded(lake, "backfill", arguments, work)


def land_lacking(settings: Settings, lake: Lake, days: Days, now: datetime) -> Result:
    """Land what silver lacks of the records that were received on some days."""
    landing, expired = Landing(settings, lake), _Expiring(Expired(lake, now.date()))
    spark = session(settings, "headwater-backfill")
    backfilled = Backfilled(settings.checkpoint_dir / "backfill.begun", lake)
    added: Counter[str] = Counter()
    again = Again(expired.messages, {RESTATED: REASON})
    for first, until in _spans(lake, days):
        added.update(landing.land_again(_records(spark, lake, days, first, until), again))
    gold = "nothing to do"
    if touched := backfilled.days():
        gold = restate(settings, lake, runs_of_days(touched), REASON, now)
    backfilled.forget()
    return {"added": dict(added), "expired": expired.count, "gold": gold}


class _Expiring:
    """Counts the messages whose days retention has dropped, or is about to."""

    def __init__(self, expired: Expired) -> None:
        self.count = 0
        self._expired = expired

    def messages(self, found: Judgement, heads: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of accepted messages that stay out."""
        gone = self._expired.messages(found, heads.filter("is_accepted")).select("row")
        self.count += len(gone)
        return gone


def _spans(lake: Lake, days: Days) -> Iterator[tuple[datetime, datetime | None]]:
    """Return spans of Kafka time of about `CHUNK` messages, in order, so that first copies win."""
    dated = lake.scan(MESSAGES).filter(pl.col("received_date").is_between(days.first, days.last))
    return time_cuts.spans(dated, CHUNK)


def _records(
    spark: SparkSession, lake: Lake, days: Days, first: datetime, until: datetime | None
) -> DataFrame:
    """Return the records as the sources show them."""
    messages = lake.frame(spark, MESSAGES).where(days.where("received_date"))
    spanned = messages.where(F.col("kafka_time") >= F.lit(first))
    if until is not None:
        spanned = spanned.where(F.col("kafka_time") < F.lit(until))
    return as_records(spanned)
