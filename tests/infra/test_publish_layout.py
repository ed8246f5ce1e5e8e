"""What is guessed of a file's columns and cells."""

from collections.abc import Mapping

import pytest

from infra.publish.cells import cell_reader, guess_type
from infra.publish.layout import Layout, guess_layout
from infra.publish.options import MetricOptions, PublishOptions, TimeOptions
from infra.publish.rows import Row
from telemetry.errors import HeadwaterError
from telemetry.products import MetricType


def layout(
    *rows: Mapping[str, object],
    metric: MetricOptions | None = None,
    time: TimeOptions | None = None,
    device: str | None = None,
    device_column: str | None = None,
) -> Layout:
    options = PublishOptions(
        device=device,
        device_column=device_column,
        metric=metric or MetricOptions(),
        time=time or TimeOptions(),
    )
    found = [Row(number, b"", cells) for number, cells in enumerate(rows, start=1)]
    return guess_layout(list(rows[0]), found, options)


ROW = {"ts": "2024-01-01 00:00:00", "sensor_id": "s1", "kw": "1.5", "state": "idle", "on": "true"}


def test_roles_follow_from_names_and_cells() -> None:
    found = layout(ROW)
    assert found.device_column == "sensor_id"
    assert found.time is not None
    assert found.time.options.columns == ("ts",)
    assert found.metrics == {"kw": "double", "state": "string", "on": "bool"}
    assert found.left_out == ()


def test_given_device_leaves_the_device_column_a_metric() -> None:
    found = layout(ROW, device="d1")
    assert found.device_column is None
    assert "sensor_id" in found.metrics


def test_named_metrics_leave_the_others_out() -> None:
    found = layout(ROW, metric=MetricOptions(columns=("kw",)))
    assert found.metrics == {"kw": "double"}
    assert found.left_out == ("state", "on")


def test_date_and_time_are_taken_together() -> None:
    found = layout({"Date": "2004-03-10", "Time": "18:00:00", "T": "13.6"})
    assert found.time is not None
    assert found.time.options.columns == ("Date", "Time")
    assert found.metrics == {"T": "double"}


def test_time_may_have_any_name_if_it_looks_like_one() -> None:
    found = layout({"x": "1", "when": "2024-01-01T00:00:00Z"})
    assert found.time is not None
    assert found.time.options.columns == ("when",)


@pytest.mark.parametrize("name", ["timestamp_ms", "ts_us", "Unix Time", "time (s)", "epoch"])
def test_time_in_numbers_is_known_by_a_name_with_a_unit(name: str) -> None:
    found = layout({"x": "1", name: "1328862600123"})
    assert found.time is not None
    assert found.time.options.columns == (name,)
    assert layout({"x": "1", "time_to_failure": "1328862600123"}).time is None


def test_no_time_makes_the_column_a_metric() -> None:
    found = layout({"ts": "2024-01-01", "x": "1"}, time=TimeOptions(is_left_out=True))
    assert found.time is None
    assert found.metrics == {"ts": "string", "x": "double"}


def test_key_and_place_are_no_metrics() -> None:
    found = layout({"boot": "b", "seq": "1", "lat": "1.0", "lon": "2.0", "x": "3"})
    assert (found.boot_column, found.seq_column) == ("boot", "seq")
    assert (found.lat_column, found.lng_column) == ("lat", "lon")
    assert found.metrics == {"x": "double"}


def test_latitude_alone_is_a_metric() -> None:
    assert layout({"lat": "1.0", "x": "3"}).metrics == {"lat": "double", "x": "double"}


def test_lists_are_left_out() -> None:
    assert layout({"x": 1, "list": [1, 2]}).left_out == ("list",)


def test_unknown_column_is_named_with_the_known_ones() -> None:
    with pytest.raises(HeadwaterError, match=r"no column 'kW'; the columns are ts, .*kw"):
        layout(ROW, metric=MetricOptions(columns=("kW",)))
    with pytest.raises(HeadwaterError, match="no column 'device'"):
        layout(ROW, device_column="device")


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1", "2.5", ""], "double"),
        (["1", "x", "2"], "double"),
        (["x", "y", "2"], "string"),
        (["true", "False"], "bool"),
        (["1", "0"], "double"),
        (["NA", "NaN", "3"], "double"),
        (["1_000", "x"], "string"),
        (["inf", "x"], "string"),
        ([1, 2.5], "double"),
        ([True, None], "bool"),
        (["", None], "double"),
    ],
)
def test_type_is_what_most_cells_are(cells: list[object], expected: str) -> None:
    assert guess_type(cells) == expected


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        ("double", " 1.5 ", 1.5),
        ("double", "-200", -200.0),
        ("double", 7, 7),
        ("double", "", None),
        ("double", None, None),
        ("bool", "TRUE", True),
        ("bool", "0", False),
        ("bool", False, False),
        ("string", "x y", "x y"),
        ("string", 5, "5"),
        ("string", True, "true"),
    ],
)
def test_cell_is_read_by_its_type(kind: MetricType, cell: object, value: object) -> None:
    assert cell_reader(kind)(cell) == value


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        ("double", "x"),
        ("double", "nan"),
        ("double", "inf"),
        ("double", "1_000"),
        ("double", True),
        ("double", "1,5"),
        ("bool", "maybe"),
        ("bool", "2"),
        ("string", ["a"]),
    ],
)
def test_cell_that_does_not_fit_is_refused(kind: MetricType, cell: object) -> None:
    with pytest.raises(ValueError, match=r"is no number|neither true|is no metric"):
        cell_reader(kind)(cell)


def test_mark_of_a_missing_value_is_hinted_at_and_taken() -> None:
    with pytest.raises(ValueError, match="--missing"):
        cell_reader("double")("NA")
    assert cell_reader("double", missing=["NA"])("NA") is None


def test_decimal_comma_is_read_where_the_file_has_it() -> None:
    assert cell_reader("double", decimal_comma=True)("1,5") == 1.5
