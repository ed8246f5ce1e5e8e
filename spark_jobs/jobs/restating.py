"""Has days of gold made again by whoever owns gold: this job, if nobody else does."""

import time
from datetime import date
from pathlib import Path

from spark_jobs.gold_state import GoldFiles, Mark, OwnedError
from spark_jobs.jobs.gold import NAME, SOURCES, Gold
from spark_jobs.jobs.job_runs import Days
from spark_jobs.lake import Lake
from telemetry.settings import Settings

WAIT_S = 300.0
STEP_S = 0.5


def restate(settings: Settings, lake: Lake, asked: list[Days], reason: str) -> str:
    """Mark days of gold and have them made again; return `done`, or `pending` if it must wait."""
    files = GoldFiles(settings.checkpoint_dir / NAME)
    readings, late = (lake.table(table).version() for table in SOURCES)
    marks = [files.mark(Mark(days.first, days.last, readings, late, reason)) for days in asked]
    try:
        with files.owned():
            return _by_this_job(settings, files, marks)
    except OwnedError:
        return "done" if _wait(marks) else "pending"


def _by_this_job(settings: Settings, files: GoldFiles, marks: list[Path]) -> str:
    if files.state() is None:
        for mark in marks:
            mark.unlink()
        return "gold starts from all of silver"
    Gold(Lake(settings.lake_root), settings).prepare()
    return "pending" if any(mark.exists() for mark in marks) else "done"


def _wait(marks: list[Path]) -> bool:
    until = time.monotonic() + WAIT_S
    while any(mark.exists() for mark in marks):
        if time.monotonic() > until:
            return False
        time.sleep(STEP_S)
    return True


def runs_of_days(days: set[date]) -> list[Days]:
    """Return consecutive dates as ranges."""
    found: list[Days] = []
    for day in sorted(days):
        if found and (day - found[-1].last).days == 1:
            found[-1] = Days(found[-1].first, day)
        else:
            found.append(Days(day, day))
    return found
