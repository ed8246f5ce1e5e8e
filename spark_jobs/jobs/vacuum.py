"""Delete files that no version within the safe span needs, and what crashed writers left.

The safe span is a day, or the age of what a lagging stream has still to read; for gold itself an
hour. Tables of which a job reads an older version are left for the next run.
"""

import argparse
import json
import math
from datetime import UTC, datetime, timedelta
from functools import partial

from spark_jobs.gold_state import GoldFiles
from spark_jobs.jobs.gold import NAME
from spark_jobs.jobs.job_runs import Result, recorded, tried
from spark_jobs.lake import Lake
from spark_jobs.pins import Pins
from spark_jobs.schema import REWRITTEN_HOURS, is_rewritten
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from telemetry.tables import LATE, READINGS, TABLES

LEAST_HOURS = 24
MARGIN = timedelta(hours=2)
_HOUR = timedelta(hours=1)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare how long files are kept at least."""
    parser.add_argument(
        "--hours",
        type=int,
        help="kept this long; default 24, or as long as the stream that is furthest behind needs",
    )
    parser.add_argument("--dry-run", action="store_true", help="count the files, delete none")


def run(arguments: argparse.Namespace, settings: Settings, lake: Lake) -> Result:
    """Vacuum every table."""

    def work(now: datetime) -> Result:
        hours = _hours(arguments.hours, settings, lake, now)
        pins = Pins(settings)
        read = [table for table in TABLES if pins.is_read(table)]
        deleted = {
            table.name: tried(
                partial(lake.vacuum, table, kept, dry_run=arguments.dry_run),
                f"vacuum of {table.name}",
            )
            for table in TABLES
            if table not in read
            for kept in [REWRITTEN_HOURS if is_rewritten(table) else hours]
        }
        return {
            "retained_hours": hours,
            "dry_run": arguments.dry_run,
            "left": [table.name for table in read],
            "tables": {name: {"files": count} for name, count in deleted.items() if count},
        }

    return recorded(lake, "vacuum", arguments, work)


def _hours(asked: int | None, settings: Settings, lake: Lake, now: datetime) -> int:
    """Return how long files are kept; refuse to delete what a stream has still to read."""
    stream, age = oldest_lag(settings, lake, now)
    needed = max(LEAST_HOURS, math.ceil((age + MARGIN) / _HOUR) if age else 0)
    if asked is None or asked >= needed:
        return asked or needed
    if needed == LEAST_HOURS:
        raise HeadwaterError(f"--hours {asked} is below {LEAST_HOURS}, which readers rely on")
    raise HeadwaterError(
        f"--hours {asked} would delete what {stream} has still to read: it lags by"
        f" {age / _HOUR:.1f} h, so files are kept for {needed} h; let it catch up (`headwater"
        f" status` shows its lag), or leave --hours out"
    )


def oldest_lag(settings: Settings, lake: Lake, now: datetime) -> tuple[str, timedelta]:
    """Return the stream that is furthest behind, and by how much."""
    lags = {NAME: _unread_by_gold(settings, lake, now), **_reported(settings, now)}
    return max(lags.items(), key=lambda lag: lag[1])


def _unread_by_gold(settings: Settings, lake: Lake, now: datetime) -> timedelta:
    """Return the age of the oldest version of silver that gold has still to read."""
    state = GoldFiles(settings.checkpoint_dir / NAME).state()
    if state is None:
        return timedelta()
    ages = [timedelta()]
    for table, position in ((READINGS, state.readings), (LATE, state.late)):
        handle = lake.table(table)
        unread = handle.version() - position.version + 1
        commits = handle.history(unread) if unread > 0 else []
        times = (datetime.fromtimestamp(commit["timestamp"] / 1000, UTC) for commit in commits)
        ages += [now - at for at in times]
    return max(ages)


def _reported(settings: Settings, now: datetime) -> dict[str, timedelta]:
    """Return how old the newest row is that each lagging stream has taken, by its progress."""
    lags = {}
    for path in settings.progress_dir.glob("*.json"):
        said = json.loads(path.read_text())
        if said["lag_messages"] and said["age_s"] is not None:
            since = datetime.fromtimestamp(said["at"], UTC) - timedelta(seconds=said["age_s"])
            name = said["name"]
            lags[f"the stream {name}"] = now - since
    return lags
