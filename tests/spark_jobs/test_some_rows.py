"""Some rows of a column are those that `take` returns, however they are copied."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_jobs.transforms.some_rows import LEAST_RUN, some, some_of

COUNT = 40 * LEAST_RUN
HEADERS = pa.map_(pa.string(), pa.binary())
COLUMNS = [
    pa.array([b"x" * (n % 7) if n % 5 else None for n in range(COUNT)], pa.binary()),
    pa.array([[("a", b"%d" % n), ("b", None)][: n % 3] for n in range(COUNT)], HEADERS),
    pa.array([["a", "b"][: n % 3] if n % 4 else None for n in range(COUNT)], pa.list_(pa.string())),
]


@pytest.mark.parametrize("column", COLUMNS, ids=["bytes", "map", "list"])
@given(st.lists(st.integers(0, COUNT - 4), max_size=60), st.integers(0, 3), st.booleans())
def test_rows_are_those_that_are_taken(
    column: pa.Array, places: list[int], skipped: int, is_without: bool
) -> None:
    sliced = column.slice(skipped)
    rows = np.array(places, dtype=np.int64)
    if is_without:
        rows = np.setdiff1d(np.arange(len(sliced)), rows)
    found = some(sliced, rows)
    found.validate(full=True)
    assert found.to_pylist() == sliced.take(pa.array(rows)).to_pylist()


def test_one_run_is_not_copied() -> None:
    column = COLUMNS[0]
    found = some(column, np.arange(100, 300))
    assert found.buffers()[2].address == column.buffers()[2].address


WHOLE = pa.table({"bytes": COLUMNS[0], "map": COLUMNS[1], "word": COLUMNS[0].dictionary_encode()})


@pytest.mark.parametrize("kind", [np.int64, np.uint32])
@given(
    st.lists(st.integers(0, COUNT - 1), max_size=30), st.lists(st.integers(0, COUNT)), st.booleans()
)
def test_rows_of_a_table_in_chunks_are_those_of_the_table(
    kind: type[np.integer], places: list[int], cuts: list[int], is_without: bool
) -> None:
    ends = sorted([0, *cuts, COUNT])
    parts = [WHOLE.slice(first, end - first) for first, end in pairwise(ends)]
    rows = np.array(places, dtype=kind)
    if is_without:
        rows = np.setdiff1d(np.arange(COUNT, dtype=kind), rows)
    found = some_of(pa.concat_tables(parts), rows)
    found.validate(full=True)
    assert found.to_pylist() == WHOLE.take(pa.array(rows)).to_pylist()


def test_runs_of_a_table_are_not_copied_where_a_chunk_has_one() -> None:
    whole = pa.concat_tables([WHOLE, WHOLE.slice(10, 100)])
    rows = np.concatenate([np.arange(50, COUNT), COUNT + np.array([1, 4, 9])])
    first, second = some_of(whole, rows)["bytes"].chunks
    assert first.buffers()[2].address == COLUMNS[0].buffers()[2].address
    assert [len(first), len(second)] == [COUNT - 50, 3]
