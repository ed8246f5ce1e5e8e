"""Spans of bronze that are judged in turn: bounded, and in the order of each partition."""

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_jobs.transforms import time_cuts

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HALVES = st.integers(0, 20)


def bronze(*records: tuple[int, int, float, int, int]) -> pl.DataFrame:
    """Return records by partition, offset, seconds after noon, messages and bytes."""
    rows = [
        ("telemetry", partition, offset, NOON + second * SECOND, items, b"x" * size)
        for partition, offset, second, items, size in records
    ]
    names = ["topic", "partition", "offset", "kafka_time", "items", "value"]
    times = {"kafka_time": pl.Datetime("us", "UTC")}
    return pl.DataFrame(rows, names, schema_overrides=times, orient="row")


def cut(records: pl.DataFrame, most: int) -> list[pl.DataFrame]:
    """Return what each span holds."""
    at, latest = pl.col("kafka_time"), datetime.max.replace(tzinfo=UTC)
    return [
        records.filter(at >= start, at < (end or latest))
        for start, end in time_cuts.spans(records.lazy(), most)
    ]


def test_lists_count_as_their_messages_and_large_records_by_their_bytes() -> None:
    lists = bronze(*((0, n, n, 50, 100) for n in range(10)))
    large = bronze(*((0, n, n, 1, 50 * 1024) for n in range(10)))
    plain = bronze(*((0, n, n, 1, 100) for n in range(10)))

    assert [len(span) for span in cut(lists, 100)] == [2] * 5
    assert [len(span) for span in cut(large, 100)] == [2] * 5
    assert [len(span) for span in cut(plain, 100)] == [10]
    assert cut(plain.clear(), 100) == []


def test_no_span_begins_where_the_clock_was_set_back() -> None:
    before = [(0, n, 10 + n, 1, 1) for n in range(10)]
    after = [(0, 10 + n, 5 + n, 1, 1) for n in range(10)]
    others = [(1, n, n, 1, 1) for n in range(25)]

    spans = cut(bronze(*before, *after, *others), 1)

    assert [len(span) for span in spans] == [1] * 5 + [15 + 20] + [1] * 5


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), HALVES, st.integers(1, 3)), max_size=30))
def test_every_record_is_in_one_span_and_each_partition_in_order(
    came: list[tuple[int, int, int]],
) -> None:
    records = bronze(
        *((part, offset, half / 2, items, 1) for offset, (part, half, items) in enumerate(came))
    )

    spans = cut(records, 2)

    together = pl.concat([records.clear(), *spans])
    assert sorted(together["offset"]) == list(range(len(came)))
    for part in (0, 1):
        mine = [span.filter(partition=part).sort("offset") for span in (records.clear(), *spans)]
        assert pl.concat(mine)["offset"].is_sorted()
