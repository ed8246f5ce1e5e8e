"""The day that retention may go by: what a clock that has jumped says is not believed at once.

A day is known on which a message was received, or a job ran. Where the clock has left out more
days than `LONGEST_GAP`, it is wrong, or the stack was off: nothing on this machine tells which.
"""

import json
from datetime import date, timedelta
from itertools import pairwise

import polars as pl

from spark_jobs.lake import Lake
from telemetry.tables import JOB_RUNS, MESSAGES

CLOCK_AHEAD = "CLOCK_AHEAD"
"""The code of what is refused since the clock is not believed."""
LONGEST_GAP = timedelta(days=7)
BELIEVED_AFTER = 14
"""Known days behind a gap, after which the clock is believed."""


def believed_day(lake: Lake, today: date) -> date:
    """Return today, or the last known day before a gap behind which there are too few."""
    told = _told(lake)
    known = [*sorted(day for day in _known(lake) if day < today), today]
    for place, (before, after) in enumerate(pairwise(known), start=1):
        is_gap = after - before > LONGEST_GAP and (told is None or after > told)
        if is_gap and len(known) - place < BELIEVED_AFTER:
            return before
    return today


def _known(lake: Lake) -> set[date]:
    columns = {MESSAGES: "partition.received_date", JOB_RUNS: "partition.started_date"}
    return {day for table, column in columns.items() for day in lake.files(table)[column]}


def _told(lake: Lake) -> date | None:
    """Return the latest day that a person has named: gaps before it are answered."""
    runs = lake.scan(JOB_RUNS).filter((pl.col("job") == "retention") & pl.col("success"))
    said = map(json.loads, runs.select("arguments").collect()["arguments"])
    named = (one["today"] for one in said if one.get("today") and not one.get("dry_run"))
    return max(map(date.fromisoformat, named), default=None)
