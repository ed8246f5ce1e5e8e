"""Windows: where they start, which slide over a minute, and what a scope selects."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from spark_jobs.transforms import windows
from spark_jobs.transforms.rules import rules
from spark_jobs.transforms.scopes import MOST_RANGES, scope
from telemetry.products import Product, Sliding
from telemetry.tables import DEVICE_FIVE_MINUTES, DEVICE_MINUTE, DEVICE_WINDOWS, SESSIONS, Table
from tests.spark_jobs.test_partials import readings


def placed(*times: datetime) -> pl.DataFrame:
    return readings(*[1.0] * len(times)).with_columns(event_time=pl.Series(times))


@pytest.mark.parametrize("year", [1960, 2004, 2026])
def test_windows_are_aligned_to_the_epoch(year: int) -> None:
    partials = windows.minutes(placed(datetime(year, 5, 6, 7, 58, 59, 999999, tzinfo=UTC)))

    starts = {
        name.rpartition("device_")[2]: frame["window_start"].item()
        for name, frame in windows.cascade(partials).items()
        if "device" in name
    }

    day = datetime(year, 5, 6, tzinfo=UTC)
    assert starts == {
        "minute": day.replace(hour=7, minute=58),
        "five_minutes": day.replace(hour=7, minute=55),
        "hour": day.replace(hour=7),
        "day": day,
    }


def test_a_minute_slides_through_every_window_that_holds_it() -> None:
    asked = Product("x", tenant="x", sliding=Sliding(timedelta(hours=1), timedelta(minutes=20)))
    at = datetime(2026, 10, 20, 8, 45, tzinfo=UTC)

    found = windows.sliding(windows.minutes(placed(at)), rules([asked]))

    starts = sorted(found["window_start"])
    assert starts == [at.replace(hour=8, minute=minute) for minute in (0, 20, 40)]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (DEVICE_MINUTE, date(2026, 10, 20)),
        (DEVICE_FIVE_MINUTES, date(2026, 10, 20)),
        (DEVICE_WINDOWS["hour"], date(2026, 10, 1)),
        (DEVICE_WINDOWS["day"], date(2026, 1, 1)),
        (SESSIONS, date(2026, 10, 1)),
    ],
)
def test_periods_are_days_months_or_years(table: Table, expected: date) -> None:
    frame = pl.DataFrame({"window_start": [datetime(2026, 10, 20, 8, tzinfo=UTC)]})

    assert frame.select(windows.period(table)).item() == expected


def touched(count: int, apart: timedelta) -> pl.DataFrame:
    starts = [datetime(2026, 10, 20, tzinfo=UTC) + n * apart for n in range(count)]
    frame = pl.DataFrame({"retention_class": "default", "window_start": starts})
    return frame.with_columns(window_period=pl.col("window_start").dt.date())


@pytest.mark.parametrize("count", [1, MOST_RANGES, MOST_RANGES + 1, 200])
@pytest.mark.parametrize("hours", [1, 24])
def test_a_scope_holds_all_that_is_touched(count: int, hours: int) -> None:
    frame = touched(count, timedelta(hours=hours))

    found = scope(frame, apart=timedelta(minutes=5))

    assert frame.filter(found.rows).height == count
    one_more = frame.with_columns(pl.col("window_period") + timedelta(days=400))
    assert one_more.filter(found.rows).is_empty()


def test_a_scope_of_few_windows_leaves_others_alone() -> None:
    frame = touched(10, timedelta(hours=1))

    found = scope(frame[[0, 9]], apart=timedelta(minutes=5))

    assert frame.filter(found.rows).height == 2
