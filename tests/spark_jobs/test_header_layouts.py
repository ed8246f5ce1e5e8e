"""Headers of many records that are written alike, beside some that are not."""

import random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder

from spark_jobs.header_layouts import NAMES
from spark_jobs.record_batches import batches, columns

Headers = list[tuple[str, bytes | None]]
KINDS: list[Headers] = [
    [("tenant", b"default"), ("device", b"d0000001"), ("received_at", b"1700000000000000")],
    [("tenant", b"default"), ("device", b"d17"), ("received_at", b"1700000000000001")],
    [("tenant", b"defaul"), ("device", b"d00000001"), ("received_at", b"1700000000000000")],
    [("tenant", None), ("device", b""), ("received_at", b"1")],
    [("device", b"default"), ("tenant", b"d0000001"), ("received_at", b"1700000000000000")],
    [("d\u00e9vice", b"x" * 200), ("device", b"y"), ("device", b"z")],
    [("long", b"x" * 5000)],
    [],
]


def read(sent: list[Headers]) -> pa.ListArray:
    builder = MemoryRecordsBuilder(2, 0, 1 << 24)
    for number, headers in enumerate(sent):
        builder.append(number, b"k", b"v" * (number % 200), headers)
    builder.close()
    blob = bytes(builder.buffer())
    found = columns([*batches(blob)]).headers
    found.validate(full=True)
    expected = [[*map(tuple, one.headers)] for batch in MemoryRecords(blob) for one in batch]
    assert [[tuple(pair.values()) for pair in pairs] for pairs in found.to_pylist()] == expected
    return found


@pytest.mark.parametrize("kinds", [KINDS[:1], KINDS[:2], KINDS[:3], KINDS], ids=len)
def test_records_of_several_layouts_keep_their_order(kinds: list[Headers]) -> None:
    pick = random.Random(7)
    found = read([pick.choice(kinds) for _ in range(3000)])
    assert found.type.value_type.field("key").type == NAMES


def test_values_are_not_taken_for_those_of_another_record() -> None:
    sent: list[Headers] = [
        [("device", b"d%05d" % number), ("received_at", b"%016d" % (number * 7919))]
        for number in range(2000)
    ]
    sent[1234] = [("device", b"d%06d" % 7), ("received_at", b"%015d" % 7)]
    sent[77] = [("devise", b"d00077"), ("received_at", b"%016d" % 77)]
    read(sent)


def test_each_record_may_have_a_layout_of_its_own() -> None:
    read([[(f"name {number}", b"x" * number)] for number in range(400)])


WORDS = st.sampled_from(["", "a", "b", "device"])
VALUES = st.none() | st.binary(max_size=3)
SENT = st.lists(st.lists(st.tuples(WORDS, VALUES), max_size=3), min_size=1, max_size=8)


@settings(deadline=None)
@given(SENT, st.integers(1, 60))
def test_headers_are_what_the_library_reads(kinds: list[Headers], often: int) -> None:
    read(kinds * often)
