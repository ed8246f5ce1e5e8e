"""Headers come out of Arrow as they went in, whatever their names and number."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from spark_jobs.header_lists import header_lists

PAIRS = st.tuples(st.sampled_from(["tenant", "device", "", "é"]), st.none() | st.binary(max_size=3))
LISTS = st.lists(st.lists(PAIRS, max_size=4), min_size=1, max_size=8)
ALIKE = st.lists(
    st.tuples(*(st.tuples(st.just(n), st.none() | st.binary(max_size=3)) for n in ("b", "a"))),
    min_size=1,
)
TYPE = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))


@given(LISTS | ALIKE)
def test_lists_of_pairs(lists: list[list[tuple[str, bytes | None]]]) -> None:
    found = header_lists(lists)

    assert found.type == TYPE
    found.validate(full=True)
    assert found.to_pylist() == [[{"key": k, "value": v} for k, v in one] for one in lists]
