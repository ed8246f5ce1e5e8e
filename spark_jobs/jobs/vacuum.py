"""Delete files that no version within the safe span needs, and what crashed writers left.

The safe span is a day, or the age of what gold has still to read; for gold itself an hour.
"""

import argparse
import math
from datetime import UTC, datetime, timedelta
from functools import partial

from spark_jobs.gold_state import GoldFiles
from spark_jobs.jobs.gold import NAME
from spark_jobs.jobs.job_runs import Result, recorded, tried
from spark_jobs.lake import Lake
from spark_jobs.schema import REWRITTEN_HOURS, is_rewritten
from telemetry.settings import Settings
from telemetry.tables import LATE, READINGS, TABLES

LEAST_HOURS = 24
MARGIN = timedelta(hours=2)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare how long files are kept at least."""
    parser.add_argument(
        "--hours", type=int, default=LEAST_HOURS, help="kept at least this long, never below 24"
    )
    parser.add_argument("--dry-run", action="store_true", help="count the files, delete none")


def run(arguments: argparse.Namespace, settings: Settings, lake: Lake) -> Result:
    """Vacuum every table."""

    def work(now: datetime) -> Result:
        hours = max(arguments.hours, LEAST_HOURS, _unread_hours(settings, lake, now))
        deleted = {
            table.name: tried(partial(lake.vacuum, table, kept, dry_run=arguments.dry_run))
            for table in TABLES
            for kept in [REWRITTEN_HOURS if is_rewritten(table) else hours]
        }
        tables = {name: {"files": count} for name, count in deleted.items() if count}
        return {"retained_hours": hours, "dry_run": arguments.dry_run, "tables": tables}

    return recorded(lake, "vacuum", arguments, work)


def _unread_hours(settings: Settings, lake: Lake, now: datetime) -> int:
    """Return the age of the oldest version of silver that gold has still to read."""
    state = GoldFiles(settings.checkpoint_dir / NAME).state()
    if state is None:
        return LEAST_HOURS
    ages = [timedelta()]
    for table, position in ((READINGS, state.readings), (LATE, state.late)):
        handle = lake.table(table)
        unread = handle.version() - position.version + 2
        oldest = min(int(commit["timestamp"]) for commit in handle.history(max(unread, 1)))
        ages.append(now - datetime.fromtimestamp(oldest / 1000, UTC) + MARGIN)
    return math.ceil(max(ages) / timedelta(hours=1))
