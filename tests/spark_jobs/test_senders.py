"""Headers of a batch, taken apart by column, and who sent its records."""

import tracemalloc

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_jobs.transforms.fleet import Fleet
from spark_jobs.transforms.senders import headers_of, senders
from telemetry.devices import split_full_name
from telemetry.encodings import CBOR
from telemetry.records import RECEIVED_AT_TRUST_US, Record, sender

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
    some = np.arange(len(left))[1:]
    assert [*found.maps(some)] == [dict(each) for each in left[1:]]


@pytest.mark.parametrize("is_twice", [False, True])
def test_records_that_name_many_headers_cost_what_they_have(*, is_twice: bool) -> None:
    entries = [[{"key": f"trace-{number}", "value": b""}] for number in range(20_000)]
    entries[7] += entries[7] * is_twice
    lists = pa.array(entries, TYPE)

    tracemalloc.start()
    found = headers_of(lists).is_map
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert found is not is_twice
    assert peak < 20_000_000


NOW = 1_700_000_000_000_000
words = st.sampled_from([b"", b"a", b"default", b"a.b", b".", b"a.", b"\xff", "\u00fc".encode()])
times = st.sampled_from([b"", b"1", b"x", b"9" * 19, str(NOW - 5).encode(), b"\xff"]) | st.integers(
    NOW + RECEIVED_AT_TRUST_US - 1, NOW + RECEIVED_AT_TRUST_US + 1
).map(lambda at: b"%d" % at)
SAID = {
    "tenant": words,
    "product": words,
    "device": words,
    "content_type": words | st.sampled_from([CBOR.encode(), f"{CBOR}; v=1".encode()]),
    "received_at": times,
}
sent = st.tuples(st.fixed_dictionaries({}, optional=SAID), st.none() | words)


@given(st.lists(sent, min_size=1, max_size=8))
def test_columns_know_the_sender_that_a_record_has(
    records: list[tuple[dict[str, bytes], bytes | None]],
) -> None:
    entries = [[{"key": key, "value": value} for key, value in each.items()] for each, _ in records]
    keys = pa.array([key for _, key in records], pa.binary())
    batch = pa.record_batch({"key": keys, "headers": pa.array(entries, TYPE)})
    headers = headers_of(batch.column("headers"))
    found = senders(batch, headers, np.full(len(records), NOW), Fleet.of((), ()))
    columns = (found.tenant, found.device_full, found.product, found.device)
    for row, (said, key) in enumerate(records):
        at = int(found.codes[row])
        expected = sender(Record("t", 0, 0, NOW, key, None, said))
        name = expected.device_full
        assert [column[at].as_py() for column in columns] == [
            expected.tenant,
            name,
            *split_full_name(name or ""),
        ]
        assert found.is_json[at] != expected.content_type.startswith(CBOR)
        assert found.received_at[row] == expected.received_at
