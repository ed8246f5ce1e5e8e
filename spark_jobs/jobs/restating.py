"""Has marked windows of gold made again by whoever owns gold: this job, if nobody else does."""

import time
import uuid
from collections.abc import Iterable
from datetime import date, datetime

import polars as pl

from spark_jobs.gold_state import GoldFiles, OwnedError
from spark_jobs.jobs.gold import NAME, SOURCES, Gold
from spark_jobs.jobs.job_runs import Days
from spark_jobs.lake import Lake
from spark_jobs.restatements import Mark, Restatements, Versions
from spark_jobs.transforms.marks import OF, WINDOWS
from spark_jobs.transforms.spans import days
from telemetry.settings import Settings
from telemetry.tables import DEVICE_MINUTE

WAIT_S = 300.0
STEP_S = 0.5


def silver_versions(lake: Lake) -> Versions:
    """Return the newest versions of what gold reads."""
    readings, late = (lake.table(table).version() for table in SOURCES)
    return Versions(readings, late)


def whole_days(asked: Iterable[Days]) -> pl.DataFrame:
    """Return the windows of whole days, of all devices."""
    spans = [days(one.first, one.last) for one in asked]
    everyone = dict.fromkeys(OF, "") | {"table": DEVICE_MINUTE.name}
    rows = [everyone | {"window_start": at.start, "window_end": at.end} for at in spans]
    return pl.DataFrame(rows, schema_overrides=_TIMES).select(WINDOWS)


def restate(settings: Settings, lake: Lake, asked: list[Days], reason: str, now: datetime) -> str:
    """Mark days of gold and have them made again; return `done`, or `pending` if it must wait."""
    mark = Mark(uuid.uuid4().hex, reason, now, silver_versions(lake))
    Restatements(lake).mark(whole_days(asked), mark)
    return take_up(settings, lake, reason)


def take_up(settings: Settings, lake: Lake, reason: str) -> str:
    """Have the marks of a reason taken up; return `done`, or `pending` if some must wait."""
    files = GoldFiles(settings.checkpoint_dir / NAME)
    marks = Restatements(lake)
    mark_ids = set(marks.marks().filter(reason=reason)["mark_id"])
    try:
        with files.owned():
            if files.state() is None:
                marks.clear(marks.marks().filter(pl.col("mark_id").is_in(mark_ids)))
                return "gold starts from all of silver"
            Gold(Lake(settings.lake_root), settings).prepare()
            return "pending" if _are_there(marks, mark_ids) else "done"
    except OwnedError:
        return "done" if _wait(marks, mark_ids) else "pending"


def _are_there(marks: Restatements, mark_ids: set[str]) -> bool:
    return not mark_ids.isdisjoint(marks.marks()["mark_id"])


def _wait(marks: Restatements, mark_ids: set[str]) -> bool:
    until = time.monotonic() + WAIT_S
    while _are_there(marks, mark_ids):
        if time.monotonic() > until:
            return False
        time.sleep(STEP_S)
    return True


_TIMES = {name: pl.Datetime("us", "UTC") for name in ("window_start", "window_end")}


def runs_of_days(days: set[date]) -> list[Days]:
    """Return consecutive dates as ranges."""
    found: list[Days] = []
    for day in sorted(days):
        if found and (day - found[-1].last).days == 1:
            found[-1] = Days(found[-1].first, day)
        else:
            found.append(Days(day, day))
    return found
