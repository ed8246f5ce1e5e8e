"""Dates of which silver holds a message, and a copy of it under another date.

A copy has another date where its time is that of its arrival: the device says none, or its clock is
ahead; and a conflict has whichever its message says.
"""

from collections.abc import Collection
from datetime import date

import polars as pl

from spark_jobs.dedup.names import UNIQUE
from spark_jobs.lake import Lake
from spark_jobs.transforms.copies import MESSAGE
from telemetry.tables import LATE, READINGS

MOST_ROWS = 20_000_000
"""Rows of silver that are looked at: some seconds, and a mark of 8 bytes a message."""
_MARK = pl.struct(MESSAGE).hash().alias("mark")
_DATE = "partition.event_date"


def dates_elsewhere(
    lake: Lake, dates: Collection[date], others: Collection[date], most_rows: int = MOST_ROWS
) -> set[date]:
    """Return those of the other dates that hold a key of the dates.

    Looked at are the newest, as far as there is room for their rows.
    """
    within = _within(lake, dates, others, most_rows)
    if not within:
        return set()
    marks = _marks(lake, dates).select("mark").unique().collect(engine="streaming")
    found = _marks(lake, within).join(marks.lazy(), on="mark", how="semi")
    return {*found.select("event_date").unique().collect(engine="streaming")["event_date"]}


def _within(
    lake: Lake, dates: Collection[date], others: Collection[date], most_rows: int
) -> list[date]:
    files = pl.concat(
        lake.files(table).select(pl.col(_DATE).alias("day"), "num_records")
        for table in (READINGS, LATE)
    )
    rows = files.group_by("day").agg(pl.col("num_records").sum()).sort("day", descending=True)
    mine = rows.filter(pl.col("day").is_in(list(dates)))["num_records"].sum()
    rest = rows.filter(pl.col("day").is_in(list({*others} - {*dates})))
    fits = rest.filter(pl.col("num_records").cum_sum() + mine <= most_rows)
    return fits["day"].to_list() if mine else []


def _marks(lake: Lake, dates: Collection[date]) -> pl.LazyFrame:
    is_wanted = pl.col("event_date").is_in(list(dates)) & ~pl.col("boot").str.starts_with(UNIQUE)
    both = [lake.scan(table).filter(is_wanted) for table in (READINGS, LATE)]
    return pl.concat(rows.select(_MARK, "event_date") for rows in both)
