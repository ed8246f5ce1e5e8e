"""Stored baselines of the hours about now: what the fast lane holds readings against."""

from collections.abc import Sequence
from datetime import timedelta

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

HOUR_US = 3_600_000_000
MONDAY_HOUR = 96
"""The first Monday after 1970 began, in hours."""
WEEK_HOURS = 168
BEHIND = timedelta(minutes=10)
"""Readings so old still find the baseline of their hour."""


def hour_of_week(micros: Column) -> Column:
    """Return the hour of the week, 0 to 167 from Monday 00:00 UTC."""
    return F.pmod(_hour(micros) - MONDAY_HOUR, F.lit(WEEK_HOURS)).cast("int")


def about_now(
    stored: DataFrame, metrics: Sequence[str], now: Column, *, ahead: timedelta
) -> DataFrame:
    """Return the newest version's rows for each hour from a little before now to `ahead` of it.

    `now` is in microseconds since 1970.
    """
    first, last = now - _micros(BEHIND), now + _micros(ahead)
    hours_on = F.pmod(F.col("slot") - hour_of_week(first), F.lit(WEEK_HOURS))
    newest = stored.select(F.max("version")).scalar()
    wanted = stored.where(
        (F.col("version") == newest)
        & F.col("metric").isin(list(metrics))
        & (hours_on <= _hour(last) - _hour(first))
    )
    return wanted.select("tenant", "device_full", "metric", "slot", "median", "spread", "version")


def _hour(micros: Column) -> Column:
    return F.floor(micros / F.lit(HOUR_US))


def _micros(span: timedelta) -> int:
    return span // timedelta(microseconds=1)
