"""Headers of a batch, taken apart by column."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from spark_jobs.transforms.senders import headers_of

NAMES = st.sampled_from(["tenant", "device", "protocol"])
RECORDS = st.lists(st.lists(st.tuples(NAMES, st.binary(max_size=2)), max_size=4), max_size=5)
TYPE = pa.list_(pa.struct([("key", pa.string()), ("value", pa.binary())]))


@given(RECORDS | RECORDS.map(lambda records: records[:1] * 3), st.integers(0, 2))
def test_last_header_of_a_name_counts(records: list[list[tuple[str, bytes]]], skipped: int) -> None:
    entries = [[{"key": key, "value": value} for key, value in each] for each in records]
    found = headers_of(pa.array(entries, TYPE)[skipped:])
    left = records[skipped:]
    for name in ("tenant", "device", "protocol", "none"):
        assert found.of(name).to_pylist() == [dict(each).get(name) for each in left]
    assert found.is_map == all(len(dict(each)) == len(each) for each in left)
