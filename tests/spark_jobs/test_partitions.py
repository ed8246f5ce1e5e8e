"""Partitions: which date they end on, and when they have expired."""

from datetime import date

import polars as pl
import pytest

from spark_jobs.jobs.partitions import condition, is_expired, last_day
from telemetry.tables import (
    DEVICE_MINUTE,
    DEVICE_WINDOWS,
    JOB_RUNS,
    MESSAGES,
    READINGS,
    REJECTED,
    SESSIONS,
    SUMMARY_ZONE_DAY,
    SUMMARY_ZONE_HOUR,
    Table,
)


@pytest.mark.parametrize(
    ("table", "period", "last"),
    [
        (READINGS, date(2026, 2, 3), date(2026, 2, 3)),
        (DEVICE_MINUTE, date(2026, 2, 3), date(2026, 2, 3)),
        (DEVICE_WINDOWS["hour"], date(2026, 2, 1), date(2026, 2, 28)),
        (DEVICE_WINDOWS["day"], date(2026, 1, 1), date(2026, 12, 31)),
        (SESSIONS, date(2026, 12, 1), date(2026, 12, 31)),
        (SUMMARY_ZONE_HOUR, date(2026, 2, 3), date(2026, 2, 3)),
        (SUMMARY_ZONE_DAY, date(2026, 2, 1), date(2026, 2, 28)),
    ],
)
def test_a_partition_ends_with_its_day_month_or_year(
    table: Table, period: date, last: date
) -> None:
    assert last_day(table, period) == last


@pytest.mark.parametrize(
    ("table", "retention_class", "period", "expired"),
    [
        (READINGS, "default", date(2026, 8, 22), True),
        (READINGS, "default", date(2026, 8, 23), False),
        (READINGS, "history", date(2004, 3, 10), True),
        (READINGS, "history", date(2017, 3, 10), False),
        (READINGS, "forever", date(1990, 1, 1), False),
        (READINGS, "30 d", date(2026, 10, 1), True),
        (READINGS, "3000 y", date(1990, 1, 1), False),
        (DEVICE_WINDOWS["day"], "default", date(2026, 1, 1), False),
        (DEVICE_WINDOWS["day"], "default", date(2025, 1, 1), True),
        (REJECTED, None, date(2026, 8, 1), True),
        (JOB_RUNS, None, date(2026, 8, 1), False),
        (MESSAGES, None, date(1990, 1, 1), False),
    ],
)
def test_a_partition_expires_by_its_class(
    table: Table, retention_class: str | None, period: date, expired: bool
) -> None:
    assert is_expired(table, retention_class, period, today=date(2026, 11, 21)) is expired


def test_a_condition_names_exactly_the_partitions() -> None:
    partitions = pl.DataFrame(
        {"retention_class": ["it's"] * 2, "event_date": [date(2026, 1, 2), date(2026, 1, 1)]}
    )

    assert condition(READINGS, partitions) == (
        "(retention_class = 'it''s' and event_date in (date'2026-01-01', date'2026-01-02'))"
    )
