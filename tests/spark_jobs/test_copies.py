"""Copies by device and day: how many, and where the earliest of their first ones is."""

from datetime import date, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from spark_jobs.transforms.copies import by_device_and_day
from telemetry.tables import DEVICE_DUPLICATES

DAY = date(2026, 11, 21)
FIRST = {
    "first_topic": pl.String(),
    "first_partition": pl.Int32(),
    "first_offset": pl.Int64(),
    "first_item": pl.Int32(),
}
MESSAGES = {
    "tenant": pl.String(),
    "device_full": pl.String(),
    "product": pl.String(),
    "day": pl.Date(),
    **FIRST,
}
firsts = st.tuples(st.just("telemetry"), st.integers(0, 2), st.integers(0, 12), st.integers(0, 1))
copies = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 1), firsts), max_size=12)
Copies = list[tuple[str, int, tuple[str, int, int, int]]]
KINDS = ("duplicates", "conflicts", "removed")


def frame(said: Copies) -> pl.DataFrame:
    rows = [("default", name, "meter", DAY + timedelta(n), *first) for name, n, first in said]
    return pl.DataFrame(rows, schema=MESSAGES, orient="row")


@given(*[copies] * 4)
def test_rows_name_the_earliest_first_copy_however_often_they_are_counted(
    duplicates: Copies, conflicts: Copies, before: Copies, now: Copies
) -> None:
    aside = {"duplicates": frame(duplicates), "conflicts": frame(conflicts)}
    one = pl.lit(1, pl.Int64).alias("removed")
    once = by_device_and_day(dict.fromkeys(KINDS[:2], frame([])), frame(before).with_columns(one))
    removed = pl.concat(
        [once.select(*MESSAGES, "removed"), frame(now).with_columns(one)], how="vertical_relaxed"
    )

    rows = by_device_and_day(aside, removed)

    said = dict(zip(KINDS, (duplicates, conflicts, before + now), strict=True))
    expected = {
        (name, day): (
            *(sum((a, b) == (name, day) for a, b, _ in said[kind]) for kind in KINDS),
            min(first for kind in KINDS for a, b, first in said[kind] if (a, b) == (name, day)),
        )
        for name, day in {(a, b) for kind in KINDS for a, b, _ in said[kind]}
    }
    found = {
        (row["device_full"], (row["day"] - DAY).days): (
            *(row[kind] for kind in KINDS),
            tuple(row[name] for name in FIRST),
        )
        for row in rows.iter_rows(named=True)
    }
    assert found == expected
    assert set(rows.columns) <= set(DEVICE_DUPLICATES.column_names)


def test_a_row_that_an_earlier_run_left_without_a_first_copy_hides_none() -> None:
    one = pl.lit(1, pl.Int64).alias("removed")
    bare = frame([("a", 0, ("telemetry", 0, 0, 0))]).with_columns(
        one, *(pl.lit(None, kind).alias(name) for name, kind in FIRST.items())
    )
    aside = {"duplicates": frame([("a", 0, ("telemetry", 1, 7, 0))]), "conflicts": frame([])}

    (row,) = by_device_and_day(aside, bare).rows(named=True)

    assert (row["duplicates"], row["removed"]) == (1, 1)
    assert [row[name] for name in FIRST] == ["telemetry", 1, 7, 0]
