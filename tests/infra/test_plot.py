"""`headwater plot`: what is drawn, and what is said where nothing can be."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import Result
from hypothesis import given
from hypothesis import strategies as st

from infra.plotting.chart import Chart, Line, Panel, gaps
from infra.plotting.series import Asked, Series, fitting_window
from infra.plotting.terminal import drawn
from infra.plotting.time_ticks import time_ticks
from infra.plotting.value_ticks import value_ticks
from tests.infra.lakes import NOON, lake_of, reading, window
from tests.infra.publishing import Home

MINUTE = timedelta(minutes=1)
PNG = b"\x89PNG\r\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    readings = [
        *(reading("pump.p1", "bar", NOON + n * MINUTE, float(n), "bar") for n in range(10)),
        reading("pump.p1", "bar", NOON + 10 * MINUTE, None, "bar"),
        *(reading("pump.p1", "bar", NOON + n * MINUTE, float(n), "bar") for n in range(11, 20)),
        *(reading("pump.p1", "bar", NOON + n * MINUTE, float(n), "bar") for n in range(40, 50)),
        *(reading("pump.p2", "bar", NOON + n * MINUTE, 5.0, "bar") for n in range(50)),
        reading("pump.p1", "on", NOON, True),
        reading("pump.p1", "on", NOON + MINUTE, False),
        reading("pump.p1", "state", NOON, "idle"),
        reading("pump.p1", "one", NOON, 4.0),
        *(
            reading("pump.p1", "odd", NOON + n * MINUTE, [1.0, math.nan, 3.0, math.inf][n])
            for n in range(4)
        ),
        reading("pump.p1", "void", NOON, None),
        *(reading("pump.p1", "kw", NOON + n * MINUTE, 1.0, "kW") for n in range(50)),
        reading("pump.p1", "flow, in", NOON, 4.0),
        *(reading("pump.p1", "level", NOON + n * MINUTE, n / 2) for n in range(9)),
        reading("pump.p1", "level", NOON + 9 * MINUTE, "full"),
    ]
    hours = [window("pump.p1", "bar", NOON + timedelta(hours=n), n * 1.0) for n in (0, 1, 2, 5, 6)]
    lake_of(tmp_path, readings=readings, windows={"hour": hours})
    return Home(tmp_path)


def plot(home: Home, *arguments: str, code: int = 0) -> Result:
    result = home.run("plot", *arguments)
    assert result.exit_code == code, result.output
    return result


def line(home: Home, window_name: str, metric: str = "bar") -> Line:
    return Series(str(home.path / "lake")).line(Asked("pump.p1", metric), window_name, "p1")


def test_terminal_shows_title_unit_and_times(home: Home) -> None:
    text = plot(home, "pump.p1", "bar").stdout
    assert "bar of pump.p1, readings, 2024-01-01 12:00 to 12:49 UTC" in text
    assert "bar in bar" in text
    assert "12:30" in text
    assert "\x1b" not in text


def test_picture_is_a_png(home: Home) -> None:
    path = home.path / "plot.png"
    result = plot(home, "pump.p1,pump.p2", "bar,kw", "--png", str(path))
    assert result.stdout == f"{path}\n"
    assert result.stderr == "left out: there is no metric of pump.p2 'kw'; there are bar\n"
    assert path.read_bytes().startswith(PNG)


def test_picture_that_cannot_be_written_is_named(home: Home) -> None:
    result = plot(home, "pump.p1", "bar", "--png", "/dev/null/x.png", code=1)
    assert "/dev/null/x.png cannot be written" in result.stderr


def test_several_devices_are_named_in_a_legend(home: Home) -> None:
    text = plot(home, "pump.p1,pump.p2", "bar").stdout
    assert "bar of pump.p1, pump.p2, readings" in text
    assert text.count("pump.p2") == 2


def test_metrics_of_two_units_have_two_panels(home: Home) -> None:
    text = plot(home, "pump.p1", "bar,kw").stdout
    assert text.count("┌─────") >= 2
    assert "kW" in text


def test_comma_behind_a_backslash_is_part_of_a_name(home: Home) -> None:
    text = plot(home, "pump.p1", r"flow\, in,one").stdout
    assert "flow, in, one of pump.p1" in text
    assert "flow\\" not in text


def test_missing_and_sentinel_interrupt_the_line(home: Home) -> None:
    found = line(home, "raw")
    assert len(found.times) == 29
    assert found.breaks == {10, 19}


def test_window_that_is_absent_interrupts_the_line(home: Home) -> None:
    found = line(home, "hour")
    assert found.values == (0.0, 1.0, 2.0, 5.0, 6.0)
    assert found.breaks == {3}
    assert found.low == (-1.0, 0.0, 1.0, 4.0, 5.0)


def test_truth_values_are_zero_and_one(home: Home) -> None:
    assert line(home, "raw", "on").values == (1.0, 0.0)


def test_span_is_cut_by_event_time(home: Home) -> None:
    span = ["--from", "2024-01-01T12:05:00", "--to", "2024-01-01T13:08:00+01:00"]
    assert "12:05 to 12:07 UTC" in plot(home, "pump.p1", "bar", *span).stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["pump.p3", "bar"], "did you mean pump.p"),
        (["pump.p1", "bra"], "there is no metric of pump.p1 'bra'; did you mean bar?"),
        (["pump.p1", "flow, in"], "no metric of pump.p1 'flow'; did you mean flow\\, in?"),
        (["pump.p1", "void"], "void of pump.p1 has 1 readings and not one value"),
        (["pump.p2", "bar", "--window", "hour"], "no hour windows of that yet"),
        (["pump.p1", "state"], "state of pump.p1 is text"),
        (["pump.p1", "bar", "--from", "2025-01-01"], "it goes from 2024-01-01 12:00:00 to"),
    ],
)
def test_what_cannot_be_drawn_says_why(home: Home, arguments: list[str], reason: str) -> None:
    assert reason in plot(home, *arguments, code=1).stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--from", "soon"], "is no ISO time"),
        (["--from", "2025-01-01", "--to", "2024-01-01"], "before --to"),
        (["--window", "week"], "five_minutes"),
    ],
)
def test_wrong_use_ends_with_2(home: Home, arguments: list[str], reason: str) -> None:
    assert reason in plot(home, "pump.p1", "bar", *arguments, code=2).stderr


def test_device_that_has_no_name_is_wrong_use(home: Home) -> None:
    assert "names nothing" in plot(home, " ,", "bar", code=2).stderr


def test_text_among_numbers_is_left_out_with_a_word(home: Home) -> None:
    result = plot(home, "pump.p1", "level")
    assert "level of pump.p1, readings, 2024-01-01 12:00 to 12:08 UTC" in result.stdout
    assert result.stderr == "left out: 1 readings of level of pump.p1 that are text\n"


@pytest.mark.parametrize(("metric", "count"), [("one", 1), ("odd", 2)])
def test_one_reading_and_no_numbers_among_others_are_drawn(
    home: Home, metric: str, count: int
) -> None:
    assert len(line(home, "raw", metric).times) == count
    assert f"{metric} of pump.p1" in plot(home, "pump.p1", metric).stdout
    path = home.path / "plot.png"
    plot(home, "pump.p1", metric, "--png", str(path))
    assert path.read_bytes().startswith(PNG)


@pytest.mark.parametrize(
    ("asked", "count", "fix"),
    [
        (("zzz", "bar"), 11, "headwater device list"),
        (("zzz", "bar"), 0, "no device has any yet"),
        (("pump.p1", "zzz"), 11, "headwater product show"),
    ],
)
def test_name_like_none_of_many_is_told_where_they_are(
    tmp_path: Path, asked: tuple[str, str], count: int, fix: str
) -> None:
    names = [(f"pump.p{n}", "bar") for n in range(count)]
    names += [("pump.p1", f"bar{n}") for n in range(count)]
    lake_of(tmp_path, readings=[reading(*name, NOON, 1.0) for name in names], windows={})

    assert fix in plot(Home(tmp_path), *asked, code=1).stderr


def test_home_without_tables_says_what_to_run(tmp_path: Path) -> None:
    assert "headwater up" in plot(Home(tmp_path), "d", "m", code=1).stderr


def test_gap_is_three_usual_intervals() -> None:
    times = [NOON + timedelta(seconds=n) for n in (0, 10, 20, 55, 65)]
    assert gaps(times) == {3}
    assert gaps(times, timedelta(seconds=10)) == {3}
    assert gaps(times, timedelta(seconds=1)) == {3}
    assert gaps([each for each in times for _ in range(2)]) == {6}
    assert gaps(times[:1]) == gaps([]) == gaps([NOON, NOON]) == frozenset()


def test_point_between_two_gaps_is_lonely() -> None:
    times = tuple(NOON + timedelta(seconds=n) for n in range(5))
    assert Line("x", times, (0.0,) * 5, frozenset({1, 3})).lonely == (0,)
    assert Line("x", times, (0.0,) * 5, frozenset({2, 3})).lonely == (2,)
    assert Line("x", times[:1], (0.0,)).lonely == (0,)
    assert Line("x", (), ()).lonely == ()


@pytest.mark.parametrize(
    ("hours", "window_name"),
    [(1, "raw"), (24, "minute"), (24 * 7, "five_minutes"), (24 * 90, "hour"), (24 * 900, "day")],
)
def test_window_fits_the_span(hours: int, window_name: str) -> None:
    assert fitting_window(NOON, NOON + timedelta(hours=hours)) == window_name


@pytest.mark.parametrize(
    ("span", "labels"),
    [
        (timedelta(seconds=40), ["12:00:00", "12:00:10", "12:00:20", "12:00:30", "12:00:40"]),
        (timedelta(hours=3), ["12:00", "13:00", "14:00", "15:00"]),
        (timedelta(days=4), ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"]),
        (timedelta(days=100), ["2024-02", "2024-03", "2024-04"]),
    ],
)
def test_ticks_are_round_times(span: timedelta, labels: list[str]) -> None:
    assert [label for _, label in time_ticks(NOON, NOON + span)] == labels


@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)),  # noqa: DTZ001
    st.timedeltas(timedelta(), timedelta(days=40_000)),
)
def test_there_are_one_to_six_ticks_within_any_span(start: datetime, span: timedelta) -> None:
    first = start.replace(tzinfo=UTC)
    ticks = time_ticks(first, first + span)
    assert 1 <= len(ticks) <= 6
    assert all(first.timestamp() <= at <= (first + span).timestamp() for at, _ in ticks)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (3.9, 6.1, [4.0, 4.5, 5.0, 5.5, 6.0]),
        (-7, 40, [0.0, 10.0, 20.0, 30.0, 40.0]),
        (0.001, 0.0042, [0.001, 0.002, 0.003, 0.004]),
        (5, 5, [5]),
    ],
)
def test_value_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    assert value_ticks(low, high) == ticks


def test_logarithmic_ticks_are_decades() -> None:
    assert value_ticks(0.05, 30, is_logarithmic=True) == [0.1, 1.0, 10.0]
    assert value_ticks(2, 5, is_logarithmic=True) == [2, 5]


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e9))
def test_there_are_two_to_six_value_ticks(low: float, span: float) -> None:
    ticks = value_ticks(low, low + span)
    assert len(ticks) <= 6
    assert all(low - span * 0.01 <= tick <= low + span * 1.01 for tick in ticks)


def test_flat_and_single_points_are_drawn() -> None:
    alone = Line("alone", (NOON,), (0.0,))
    assert "12:00" in drawn(Chart("one", (Panel("y", (alone,)),)), width=80, height=15)
    flat = Line("flat", (NOON, NOON + MINUTE), (2.0, 2.0))
    single = Line("single", (NOON,), (math.pi,))
    text = drawn(Chart("two", (Panel("y", (flat, single)),)), width=80, height=15)
    assert len(text.splitlines()) == 17
    assert max(map(len, text.splitlines())) <= 80
    assert "single" in text
