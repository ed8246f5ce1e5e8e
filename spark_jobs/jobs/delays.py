"""Say how long delivery took, by product, and propose a lateness; gold keeps the measure itself."""

import argparse
from datetime import datetime, timedelta

import polars as pl

from spark_jobs.jobs.job_runs import Days, Result, add_dates, asked_days, recorded
from spark_jobs.lake import Lake
from spark_jobs.transforms.delays import over_hours
from telemetry.settings import Settings
from telemetry.tables import DELIVERY_DELAY


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the dates; the default is yesterday and today."""
    add_dates(parser)


def run(arguments: argparse.Namespace, settings: Settings, lake: Lake) -> Result:
    """Merge the hours of the dates into one measure a product."""

    def work(now: datetime) -> Result:
        days = asked_days(arguments) or Days(now.date() - timedelta(days=1), now.date())
        inside = pl.col("hour_date").is_between(days.first, days.last)
        stored = lake.scan(DELIVERY_DELAY).filter(inside).collect()
        figures = over_hours(stored).rows(named=True)
        tables = {DELIVERY_DELAY.name: {"rows": stored.height}}
        return {"from": days.first, "to": days.last, "products": figures, "tables": tables}

    return recorded(lake, "delays", arguments, work)
