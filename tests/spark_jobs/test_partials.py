"""Partials merge to what numpy computes at once, however they were cut."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_jobs.transforms.partials import SERIES, STATISTICS, merged, of_readings
from spark_jobs.transforms.reduction import NO_READING

AT = datetime(2026, 10, 20, 8, tzinfo=UTC)
BY = [*SERIES, "device_full"]
numbers = st.floats(-1e4, 1e4, allow_subnormal=False).map(lambda value: round(value, 6))


def readings(*values: float | str | bool | None) -> pl.DataFrame:
    """Return readings of one series, a second apart."""
    columns = {float: "value", str: "value_text", bool: "value_bool"}
    rows = [
        {
            **dict.fromkeys(SERIES, "x"),
            "device_full": "d",
            "event_time": AT + timedelta(seconds=seq),
            "seq": seq,
        }
        | ({} if value is None else {columns[type(value)]: value})
        for seq, value in enumerate(values)
    ]
    return pl.DataFrame(rows, schema=NO_READING.schema)


def summary(frame: pl.DataFrame) -> dict[str, object]:
    return merged(of_readings(frame), BY).row(0, named=True)


@settings(max_examples=60, deadline=None)
@given(st.lists(numbers, min_size=1, max_size=40), st.integers(1, 7))
def test_merged_parts_are_the_whole(values: list[float], size: int) -> None:
    parts = [merged(of_readings(part), BY) for part in readings(*values).iter_slices(size)]

    found = merged(pl.concat(parts), BY).row(0, named=True)

    array = np.array(values)
    assert found["count"] == len(values)
    # The mean is rounded where values are large, so deviations are as exact as values are.
    scale = float(np.abs(array).max())
    assert found["sum"] == pytest.approx(array.sum(), rel=1e-9, abs=1e-12 * scale)
    assert found["mean"] == pytest.approx(array.mean(), rel=1e-9, abs=1e-14 * scale)
    assert found["m2"] == pytest.approx(
        ((array - array.mean()) ** 2).sum(), rel=1e-9, abs=1e-18 * scale**2 * len(values)
    )
    assert (found["min"], found["max"]) == (array.min(), array.max())
    assert (found["first"], found["last"]) == (values[0], values[-1])


@given(numbers, st.integers(2, 9))
def test_a_constant_has_exactly_no_deviation(value: float, size: int) -> None:
    frame = readings(*[value] * 20)
    parts = [merged(of_readings(part), BY) for part in frame.iter_slices(size)]

    found = merged(pl.concat(parts), BY).row(0, named=True)

    assert (found["m2"], found["mean"]) == (0.0, value)


def test_sentinels_alone_leave_a_row_without_statistics() -> None:
    found = summary(readings(None, None))

    assert found.pop("count") == 0
    assert {found[name] for name in STATISTICS if name != "count"} == {None}


def test_texts_and_truth_values_have_first_and_last_and_no_numbers() -> None:
    found = summary(readings("idle", None, "busy"))
    truth = summary(readings(True, False))

    assert (found["count"], found["first_text"], found["last_text"]) == (2, "idle", "busy")
    assert (found["sum"], found["mean"], found["first"]) == (None, None, None)
    assert (truth["first_bool"], truth["last_bool"]) == (True, False)


def test_ties_of_time_and_seq_go_by_value() -> None:
    tied = readings(3.0, 1.0, 2.0).with_columns(event_time=AT, seq=0)
    for order in ([0, 1, 2], [2, 1, 0], [1, 0, 2]):
        found = summary(tied[order])
        assert (found["first"], found["last"]) == (1.0, 3.0)


def test_huge_values_break_nothing() -> None:
    found = summary(readings(1e308, -1e308, 1e308))

    assert found["count"] == 3
    assert (found["min"], found["max"]) == (-1e308, 1e308)
