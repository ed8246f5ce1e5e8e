"""Footers go through the codec and come out as they were."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_jobs import parquet_footer as codec

FIELD = st.one_of(
    st.tuples(st.sampled_from([codec.I16, codec.I32, codec.I64]), st.integers(-(2**63), 2**63 - 1)),
    st.tuples(st.just(codec.BINARY), st.binary(max_size=300)),
    st.tuples(st.just(codec.DOUBLE), st.binary(min_size=8, max_size=8)),
    st.tuples(st.just(codec.I8), st.integers(0, 255)),
)
TRUTHS = st.booleans().map(lambda said: (codec.TRUE if said else codec.FALSE, said))
FLAT = st.dictionaries(st.integers(1, 200), FIELD | TRUTHS, max_size=5)
LISTS = st.one_of(
    st.lists(FLAT, max_size=40).map(lambda items: (codec.STRUCT, items)),
    st.lists(st.integers(-(2**31), 2**31 - 1), max_size=20).map(lambda items: (codec.I32, items)),
    st.lists(st.binary(max_size=200), max_size=20).map(lambda items: (codec.BINARY, items)),
    st.lists(st.booleans(), min_size=1, max_size=20).map(lambda items: (codec.TRUE, items)),
).map(lambda items: (codec.LIST, items))
NESTED = LISTS | FLAT.map(lambda of: (codec.STRUCT, of))
STRUCTS = st.dictionaries(st.integers(1, 200), FIELD | TRUTHS | NESTED, max_size=5)


def closed(packed: bytes) -> bytes:
    return packed + len(packed).to_bytes(4, "little") + codec.MAGIC


@given(STRUCTS)
def test_struct_comes_back(struct: codec.Struct) -> None:
    assert codec.footer(closed(codec.encoded(struct)))[0] == struct


@given(STRUCTS, st.sets(st.integers(1, 200)))
def test_what_is_not_taken_apart_stays_as_it_came(struct: codec.Struct, names: set[int]) -> None:
    packed = codec.encoded(struct)
    found, _ = codec.footer(closed(packed), {name: {} for name in names})
    assert codec.encoded(found) == packed
    assert found.keys() == struct.keys()
    for name, (type_, value) in found.items():
        if type_ in (codec.LIST, codec.STRUCT):
            assert isinstance(value, bytes) is (name not in names)
        else:
            assert (type_, value) == struct[name]


@pytest.mark.parametrize("columns", [1, 14, 15, 200])
def test_footer_of_another_writer_is_the_same_byte_for_byte(columns: int) -> None:
    sink = io.BytesIO()
    of_one = pa.array([{"a": [1, None]}, None], pa.struct([("a", pa.list_(pa.int64()))]))
    pq.write_table(pa.table({f"c{n}": of_one for n in range(columns)}), sink)
    found, start = codec.footer(sink.getvalue())
    assert codec.tail(found) == sink.getvalue()[start:]
    some, start = codec.footer(sink.getvalue(), {4: {1: {3: {}}}})
    assert codec.tail(some) == sink.getvalue()[start:]


def test_truth_values_come_back() -> None:
    struct: codec.Struct = {1: (codec.FALSE, False), 2: (codec.TRUE, True)}
    assert codec.footer(closed(codec.encoded(struct)))[0] == struct
