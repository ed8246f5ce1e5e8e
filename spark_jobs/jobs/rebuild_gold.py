"""Make days of gold again from silver; the same days again give the same gold.

Windows whose readings retention has dropped from silver stay as they are: `stay` counts their rows.
"""

import argparse
from datetime import datetime

from edge.registry_files import RegistryFiles
from spark_jobs.jobs.held_since import held_since, standing
from spark_jobs.jobs.job_runs import Days, Result, add_dates, asked_days, recorded
from spark_jobs.jobs.restating import restate
from spark_jobs.lake import Lake
from spark_jobs.transforms.spans import days as span_of
from telemetry.errors import WrongUseError
from telemetry.settings import Settings
from telemetry.tables import LATE, READINGS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the dates, or that all are meant."""
    add_dates(parser)
    parser.add_argument("--all", action="store_true", help="every day that silver holds")


def run(arguments: argparse.Namespace, settings: Settings, lake: Lake) -> Result:
    """Have the days made again by the owner of gold."""

    def work(now: datetime) -> Result:
        days = asked_days(arguments) or (_all_days(lake) if arguments.all else None)
        if days is None and arguments.all:
            return {"gold": "silver holds nothing to make it of"}
        if days is None:
            raise WrongUseError("name the days: --from DATE --to DATE, or --all")
        state = restate(settings, lake, [days], "rebuild-gold", now)
        products = RegistryFiles(settings.registry_dir).products().values()
        held = held_since(lake, products, now.date())
        stay = standing(lake, held, span_of(days.first, days.last))
        return {"from": days.first, "to": days.last, "gold": state, "stay": stay}

    return recorded(lake, "rebuild-gold", arguments, work)


def _all_days(lake: Lake) -> Days | None:
    dates = [
        date
        for table in (READINGS, LATE)
        for date in lake.scan(table).select("event_date").unique().collect().to_series()
    ]
    return Days(min(dates), max(dates)) if dates else None
