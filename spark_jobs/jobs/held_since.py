"""From when on silver holds all readings, and which windows of gold are older and so stay."""

import json
from collections.abc import Collection, Iterable
from datetime import date, timedelta

import polars as pl

from spark_jobs.jobs.believed_day import CLOCK_AHEAD
from spark_jobs.jobs.gold_tables import WINDOW_TABLES
from spark_jobs.jobs.partitions import born_on, kept_for
from spark_jobs.lake import Lake
from spark_jobs.transforms.held import Held, Since
from spark_jobs.transforms.spans import Span, later, midnight
from telemetry.products import Product
from telemetry.retention import HISTORY
from telemetry.tables import JOB_RUNS, LATE, READINGS

_CLASS, _DAY = "partition.retention_class", "partition.event_date"


def held_since(lake: Lake, products: Collection[Product], today: date) -> Held:
    """Return what silver holds: but for days that are over by their class, and are not there.

    A run of `retention` may have been told another day than today, or by a clock that was ahead.
    """
    judged = max(today, _judged_last(lake) or today)
    oldest = dict(lake.files(READINGS).group_by(_CLASS).agg(pl.col(_DAY).min()).iter_rows())
    moments = {
        name: midnight(min(first, oldest.get(name, first)))
        for name in _classes(lake) | {product.retention_class for product in products}
        if (first := _first_kept(lake, name, judged)) is not None
    }
    received = {
        (product.tenant, product.key): later(
            moments[product.retention_class], product.max_age or timedelta()
        )
        for product in products
        if product.retention_class in moments
    }
    return Held(moments, received)


def _judged_last(lake: Lake) -> date | None:
    """Return the latest day that a run of `retention` went by; one that failed may have dropped."""
    was_refused = pl.col("error").fill_null("").str.starts_with(f"[{CLOCK_AHEAD}]")
    runs = lake.scan(JOB_RUNS).filter(pl.col("job") == "retention", ~was_refused)
    days = []
    for at, said in runs.select("started_at", "arguments").collect().iter_rows():
        arguments = json.loads(said)
        if not arguments.get("dry_run"):
            asked = arguments.get("today")
            days.append(date.fromisoformat(asked) if asked else at.date())
    return max(days, default=None)


def _classes(lake: Lake) -> set[str]:
    tables = (READINGS, LATE, *WINDOW_TABLES)
    return {name for table in tables for name in lake.files(table)[_CLASS].unique()}


def _first_kept(lake: Lake, name: str, judged: date) -> date | None:
    """Return the oldest day that is not over; None where no day of the class ever was."""
    span = kept_for(READINGS, name)
    if span is None:
        return None
    first = judged - span
    return None if name == HISTORY and born_on(lake, READINGS) >= first else first


def gold_since(held: Held, products: Iterable[Product], every: str) -> Since:
    """Return from when on gold has the windows of an hour, or of a day, of each product.

    Retention drops whole months of hours and whole years of days.
    """
    return {
        (product.tenant, product.key): moment.replace(
            month=moment.month if every == "hour" else 1, day=1
        )
        for product in products
        if (moment := held.since.get(product.retention_class)) is not None
    }


def standing(lake: Lake, held: Held, within: Span | None = None) -> dict[str, int]:
    """Count the rows of gold's windows that stay as they are, by table."""
    if not held.since:
        return {}
    asked = pl.lit(value=True) if within is None else within.holds("window_start")
    counts = {
        table.name: lake.scan(table).filter(asked, ~held.whole).select(pl.len()).collect().item()
        for table in WINDOW_TABLES
    }
    return {name: count for name, count in counts.items() if count}
