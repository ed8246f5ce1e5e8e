"""Delete files that no version within the safe span needs, and what crashed writers left.

The safe span is a day, or the age of what a lagging stream has still to read; for gold itself an
hour. Tables of which a job reads an older version are left for the next run.
"""

import argparse
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from spark_jobs.gold_state import GoldFiles, Position
from spark_jobs.jobs.gold import NAME as GOLD
from spark_jobs.jobs.job_runs import Result, recorded, tried
from spark_jobs.jobs.progress_files import read_progress
from spark_jobs.jobs.scoring import NAME as SCORING
from spark_jobs.jobs.scoring_query import is_wanted
from spark_jobs.lake import Lake
from spark_jobs.pins import Pins
from spark_jobs.schema import REWRITTEN_HOURS, is_rewritten
from spark_jobs.scoring_state import ScoringFiles
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings
from telemetry.tables import LATE, READINGS, TABLES, Table

LEAST_HOURS = 24
MARGIN = timedelta(hours=2)
_HOUR = timedelta(hours=1)
Places = Sequence[tuple[Table, Position]]
"""How far a stream has read tables of silver."""


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
    places = {GOLD: _gold(settings), SCORING: _scoring(settings)}
    lags = {name: _unread(lake, some, now) for name, some in places.items()}
    lags |= _reported(settings, now)
    return max(lags.items(), key=lambda lag: lag[1])


def _gold(settings: Settings) -> Places:
    """Return what gold reads next of each table."""
    state = GoldFiles(settings.checkpoint_dir / GOLD).state()
    return [(READINGS, state.readings), (LATE, state.late)] if state else []


def _scoring(settings: Settings) -> Places:
    """Return what rules look at next; they begin anew where none is on, or their place is lost."""
    try:
        place = ScoringFiles(settings.checkpoint_dir / SCORING).position()
    except (ValueError, KeyError, TypeError):
        return []
    return [(READINGS, place)] if place and is_wanted(settings) else []


def _unread(lake: Lake, places: Places, now: datetime) -> timedelta:
    """Return the age of the oldest version of silver that a stream has still to read."""
    ages = [timedelta()]
    for table, position in places:
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
        said = read_progress(path)
        if said and said["lag_messages"] and said["age_s"] is not None:
            since = datetime.fromtimestamp(said["at"], UTC) - timedelta(seconds=said["age_s"])
            name = said["name"]
            lags[f"the stream {name}"] = now - since
    return lags
