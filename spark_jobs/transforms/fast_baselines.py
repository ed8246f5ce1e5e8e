"""The hours of the week that stored baselines are of: which readings of the fast lane meet."""

from datetime import UTC, datetime, timedelta

HOUR_US = 3_600_000_000
MONDAY_HOUR = 96
"""The first Monday after 1970 began, in hours."""
WEEK_HOURS = 168
BEHIND = timedelta(minutes=10)
"""Readings so old still find the baseline of their hour."""


def hour_of_week(micros: str) -> str:
    """Return the hour of the week, 0 to 167 from Monday 00:00 UTC, of a column, in SQL."""
    hour = f"floor({micros} / {HOUR_US}L)"
    return f"cast(pmod({hour} - {MONDAY_HOUR}, {WEEK_HOURS}) as int)"


def hours_about(now: datetime, ahead: timedelta) -> list[int]:
    """Return each hour of the week from a little before now to `ahead` of it."""
    first, last = (_hour(moment) for moment in (now - BEHIND, now + ahead))
    count = min(last - first + 1, WEEK_HOURS)
    return [(first + place - MONDAY_HOUR) % WEEK_HOURS for place in range(count)]


def _hour(moment: datetime) -> int:
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(hours=1)
