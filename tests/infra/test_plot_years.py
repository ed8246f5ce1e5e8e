"""`headwater plot` of what only windows tell any more, and of names that mean something else."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result

from infra.plotting.series import Asked, Series
from tests.infra.lakes import NOON, Row, lake_of, reading, window
from tests.infra.publishing import Home

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
MIDNIGHT = NOON - 12 * HOUR
ODD = r"$\frac{a$"


def told(metric: str, start: datetime, width: timedelta) -> Row:
    """Return a window whose readings came throughout it."""
    ends = {"first_at": start, "last_at": start + width - MINUTE}
    return {**window("pump.p1", metric, start, 5.0), **ends}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Two hundred days, of which hours are left for fifty and readings for two."""
    metrics = ("bar", "gone")
    days = [told(one, MIDNIGHT + n * DAY, DAY) for one in metrics for n in range(200)]
    hours = [told("bar", MIDNIGHT + n * HOUR, HOUR) for n in range(150 * 24, 200 * 24)]
    readings = [
        *(reading("pump.p1", "bar", MIDNIGHT + n * HOUR, 5.0) for n in range(198 * 24, 200 * 24)),
        reading("pump.p1", "on", NOON, True),
        reading("pump.p1", "on", NOON + 9 * HOUR, False),
        *(reading("pump.p1", ODD, NOON + n * MINUTE, 1.0, "$x_$") for n in range(3)),
        *(reading("pump.p2", ODD, NOON + n * MINUTE, 2.0, "$x_$") for n in range(3)),
    ]
    lake_of(tmp_path, readings=readings, windows={"day": days, "hour": hours})
    return Home(tmp_path)


def plot(home: Home, *arguments: str, code: int = 0) -> Result:
    result = home.run("plot", *arguments)
    assert result.exit_code == code, result.output
    return result


@pytest.mark.parametrize(
    ("span", "title"),
    [
        ([], "mean by day, 2024-01-01 to 2024-07-18 UTC"),
        (["--from", "2024-02-01", "--to", "2024-02-05"], "by day, 2024-02-01 to 2024-02-04 UTC"),
        (["--from", "2024-06-10", "--to", "2024-07-01"], "by hour, 2024-06-10 to 2024-06-30 UTC"),
        (["--from", "2024-07-18T20:00"], "readings, 2024-07-18 20:00 to 23:00 UTC"),
    ],
)
def test_what_is_narrowest_of_what_is_left_is_drawn(
    home: Home, span: Sequence[str], title: str
) -> None:
    assert title in plot(home, "pump.p1", "bar", *span).stdout


def test_days_are_drawn_where_no_reading_is_left(home: Home) -> None:
    text = plot(home, "pump.p1", "gone").stdout
    assert "gone of pump.p1, mean by day, 2024-01-01 to 2024-07-18 UTC" in text
    raw = plot(home, "pump.p1", "gone", "--window", "raw", code=1).stderr
    assert "leave out --window raw" in raw
    later = plot(home, "pump.p1", "gone", "--from", "2025-01-01", code=1).stderr
    assert "it goes from 2024-01-01 00:00:00 to 2024-07-18 23:59:00 UTC" in later


def test_truth_values_are_drawn_over_hours_that_have_no_mean_of_them(home: Home) -> None:
    asked = Asked("pump.p1", "on")
    series = Series(str(home.path / "lake"))
    assert series.window_for({asked: series.extent(asked)}) == "raw"
    assert "on of pump.p1, readings" in plot(home, "pump.p1", "on").stdout
    both = plot(home, "pump.p1", "on,bar")
    assert "left out: on of pump.p1 has no day windows with numbers" in both.stderr


def test_dollars_in_names_are_dollars(home: Home) -> None:
    path = home.path / "plot.png"
    plot(home, "pump.p1,pump.p2", ODD, "--png", str(path))
    assert path.read_bytes().startswith(b"\x89PNG\r\n")


def test_what_gold_has_no_windows_of_yet_is_named(tmp_path: Path) -> None:
    readings = [reading("pump.p1", "bar", MIDNIGHT + n * MINUTE, 5.0) for n in range(1440)]
    minutes = [told("bar", MIDNIGHT + n * MINUTE, MINUTE) for n in range(720)]
    days = [told("bar", MIDNIGHT, DAY)]
    lake_of(tmp_path, readings=readings, windows={"minute": minutes, "day": days})
    half = plot(Home(tmp_path), "pump.p1", "bar")
    assert "mean by minute, 2024-01-01 00:00 to 12:00 UTC" in half.stdout
    assert half.stderr == (
        "left out: bar of pump.p1 from 2024-01-01 12:00:00 UTC on, of which gold has no whole"
        " minute windows: --window raw\n"
    )
    whole = plot(Home(tmp_path), "pump.p1", "bar", "--window", "raw")
    assert "readings, 2024-01-01 00:00 to 23:59 UTC" in whole.stdout
    assert not whole.stderr


def test_what_is_kept_no_more_is_named(home: Home) -> None:
    some = plot(home, "pump.p1", "bar", "--window", "raw")
    assert "readings, 2024-07-17 to 2024-07-18 UTC" in some.stdout
    before = (
        "left out: bar of pump.p1 before 2024-07-17 00:00:00 UTC, of which no readings are left"
    )
    assert before in some.stderr
