"""The equation of conservation, against a count by hand of every message."""

from collections import Counter

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_jobs.transforms.conservation import (
    HELD,
    MISSING,
    MOST_RANGES,
    REPEATED,
    UNKNOWN,
    Balance,
    Range,
    balance,
    together,
    told,
)

TABLES = ["readings", "late", "rejected", "duplicates", "conflicts"]
places = st.lists(st.sampled_from(TABLES), max_size=2)
records = st.dictionaries(st.integers(0, 12), st.lists(places, min_size=1, max_size=3))
strangers = st.lists(st.tuples(st.integers(0, 15), st.integers(0, 3), st.sampled_from(TABLES)))


def records_frame(items: dict[int, int]) -> pl.DataFrame:
    return pl.DataFrame(list(items.items()), {"offset": pl.Int64, "items": pl.Int32}, orient="row")


def held_frame(rows: list[tuple[int, int, str]]) -> pl.DataFrame:
    return pl.DataFrame(rows, HELD, orient="row")


def offsets(ranges: list[Range]) -> set[int]:
    return {offset for first, last in ranges for offset in range(first, last + 1)}


@settings(deadline=None)
@given(records, strangers)
def test_each_message_out_of_place_is_named(
    given_records: dict[int, list[list[str]]], given_strangers: list[tuple[int, int, str]]
) -> None:
    rows = [
        (offset, item, table)
        for offset, items in given_records.items()
        for item, tables in enumerate(items)
        for table in tables
    ] + given_strangers
    expected = {(offset, n) for offset, items in given_records.items() for n in range(len(items))}
    copies = Counter((offset, item) for offset, item, _ in rows)

    found = balance(
        records_frame({offset: len(items) for offset, items in given_records.items()}),
        held_frame(rows),
    )

    assert found.items == len(expected)
    assert found.counts == Counter(table for *_, table in rows)
    assert offsets(found.wrong[MISSING]) == {at for at, n in expected - set(copies)}
    assert offsets(found.wrong[REPEATED]) == {at[0] for at, count in copies.items() if count > 1}
    assert offsets(found.wrong[UNKNOWN]) == {at for at, n in set(copies) - expected}
    assert found.holds == (copies == Counter(expected))
    assert (told(found) is None) == (not any(found.wrong.values()))


def test_one_lost_and_one_doubled_do_not_cancel_out() -> None:
    found = balance(records_frame({4: 1, 5: 1}), held_frame([(4, 0, "late"), (4, 0, "readings")]))

    assert found.difference == 0
    assert not found.holds
    assert told(found) == "5 in no table; 4 in two places"


def test_a_record_twice_in_bronze_is_told() -> None:
    records = pl.concat([records_frame({7: 1}), records_frame({7: 1})])

    found = balance(records, held_frame([(7, 0, "readings")]))

    assert found.difference == -1
    assert told(found) == "7 in two places"


def test_parts_add_up() -> None:
    parts = [
        balance(records_frame({1: 2}), held_frame([(1, 0, "late"), (1, 1, "late")])),
        balance(records_frame({2: 1}), held_frame([])),
    ]

    whole = together(parts)

    assert (whole.items, whole.counts, whole.difference) == (3, {"late": 2}, -1)
    assert told(whole) == "2 in no table"


def test_many_ranges_are_cut_short() -> None:
    every_other = [(2 * n, 2 * n) for n in range(MOST_RANGES + 3)]
    found = Balance(0, {}, {MISSING: every_other, REPEATED: [], UNKNOWN: []})

    assert str(told(found)).endswith("and 3 ranges more in no table")
