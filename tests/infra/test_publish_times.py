"""Times as other people write them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.publish.options import TimeOptions
from infra.publish.times import guess_time_form, looks_like_time, time_reader
from telemetry.errors import HeadwaterError
from telemetry.message import parse_time


def read(cells: Mapping[str, object], **options: object) -> str:
    given_options = TimeOptions(columns=tuple(cells), **options)  # type: ignore[arg-type]
    sample = list(cells.values()) if len(cells) == 1 else []
    return time_reader(guess_time_form(given_options, sample))(cells)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2014-04-01 00:05:00", "2014-04-01T00:05:00Z"),
        ("2012-02-10T08:30:00", "2012-02-10T08:30:00Z"),
        ("2012-02-10T08:30:00.123456Z", "2012-02-10T08:30:00.123456Z"),
        ("2012-02-10T08:30:00+01:00", "2012-02-10T07:30:00Z"),
        ("2012-02-10", "2012-02-10T00:00:00Z"),
        ("20120210", "2012-02-10T00:00:00Z"),
        ("1328862600", "2012-02-10T08:30:00Z"),
        ("1328862600123", "2012-02-10T08:30:00.123000Z"),
        ("1328862600123456", "2012-02-10T08:30:00.123456Z"),
        ("1328862600123456789", "2012-02-10T08:30:00.123456Z"),
        ("1328862600.5", "2012-02-10T08:30:00.500000Z"),
        (1328862600, "2012-02-10T08:30:00Z"),
        ("20120210083000", "2012-02-10T08:30:00Z"),
        (201202100830, "2012-02-10T08:30:00Z"),
        ("31.12.2024 18:00", "2024-12-31T18:00:00Z"),
        ("31.12.24 8.05.09,5", "2024-12-31T08:05:09.500000Z"),
        ("12/31/1999 12:00:00 AM", "1999-12-31T00:00:00Z"),
        ("2012/02/10 08:30", "2012-02-10T08:30:00Z"),
        ("2012-02-10 08:30:00 UTC", "2012-02-10T08:30:00Z"),
        ("2012-02-10 8:30 +0100", "2012-02-10T07:30:00Z"),
        ("Fri, 10 Feb 2012 08:30:00 GMT", "2012-02-10T08:30:00Z"),
        ("10/Feb/2012:08:30:00 -0130", "2012-02-10T10:00:00Z"),
        ("Feb 10, 2012 12:30 pm", "2012-02-10T12:30:00Z"),
        ("Fri Feb  3 08:30:00 2012", "2012-02-03T08:30:00Z"),
        ("Fri Feb 10 08:30:00 UTC 2012", "2012-02-10T08:30:00Z"),
        ("31.12.2024 24:00", "2025-01-01T00:00:00Z"),
        ("2024-12-31 24:00:00", "2025-01-01T00:00:00Z"),
    ],
)
def test_time_of_one_column(text: object, expected: str) -> None:
    assert read({"t": text}) == expected


def test_date_and_time_stand_in_two_columns() -> None:
    assert read({"Date": "2004-03-10", "Time": "18:00:00"}) == "2004-03-10T18:00:00Z"


def test_cycles_are_counted_from_a_start() -> None:
    start = datetime(2000, 1, 1, tzinfo=UTC)
    assert read({"cycle": "90"}, unit="min", start=start) == "2000-01-01T01:30:00Z"
    assert read({"cycle": "0.5"}, unit="h", start=start) == "2000-01-01T00:30:00Z"


def test_zone_holds_where_the_time_names_none() -> None:
    assert read({"t": "2024-07-01 12:00:00"}, zone="Europe/Berlin") == "2024-07-01T10:00:00Z"
    assert read({"t": "2024-07-01 12:00:00Z"}, zone="Europe/Berlin") == "2024-07-01T12:00:00Z"


def test_format_of_ones_own() -> None:
    assert read({"t": "01.02.2024 03:04"}, format="%d.%m.%Y %H:%M") == "2024-02-01T03:04:00Z"


def test_zone_holds_for_times_that_are_no_iso() -> None:
    assert read({"t": "31.07.2024 12:00"}, zone="Europe/Berlin") == "2024-07-31T10:00:00Z"
    assert read({"t": "31.07.2024 12:00 UTC"}, zone="Europe/Berlin") == "2024-07-31T12:00:00Z"


def test_epochs_of_twelve_digits_are_no_dates() -> None:
    assert read({"t": "915148800000"}) == "1999-01-01T00:00:00Z"


def test_unknown_zone_is_an_error() -> None:
    with pytest.raises(HeadwaterError, match="Europe/Berlin"):
        read({"t": "2024-07-01"}, zone="Mars/Olympus")


def test_small_numbers_without_a_unit_are_an_error() -> None:
    with pytest.raises(HeadwaterError, match="--time-unit"):
        read({"cycle": "7"})


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"t": "yesterday"}, "'yesterday' is no time"),
        ({"t": ""}, "no time in t"),
        ({"t": None}, "no time in t"),
    ],
)
def test_what_is_no_time_says_why(cells: Mapping[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read(cells)


@pytest.mark.parametrize(("cell", "reason"), [("x", "no number"), ("1e30", "out of range")])
def test_what_cannot_be_counted_says_why(cell: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read({"t": cell}, unit="s")


def test_bare_numbers_are_times_only_in_a_column_that_is_named_so() -> None:
    assert looks_like_time(["1328862600"], is_named_so=True)
    assert not looks_like_time(["1328862600"], is_named_so=False)
    assert not looks_like_time(["20.5", "21"], is_named_so=True)
    assert looks_like_time(["2014-04-01 00:05:00", "?", "2014-04-02"], is_named_so=False)
    assert looks_like_time(["31.12.24"], is_named_so=True)
    assert not looks_like_time(["31.12.24"], is_named_so=False)


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)))  # noqa: DTZ001
def test_times_keep_their_microseconds(moment: datetime) -> None:
    epoch = datetime(1970, 1, 1)  # noqa: DTZ001
    expected = (moment - epoch) // timedelta(microseconds=1)
    assert parse_time(read({"t": moment.isoformat(sep=" ")})) == expected
    assert parse_time(read({"t": str(expected)}, unit="us")) == expected
