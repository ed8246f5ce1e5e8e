"""Record batches in columns say what kafka-python says of them, a record at a time."""

import struct
import tracemalloc
from collections.abc import Sequence

import pyarrow as pa
import pytest
from crc32c import crc32c
from hypothesis import given
from hypothesis import strategies as st
from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder

from spark_jobs.record_batches import (
    Aborted,
    Batch,
    Columns,
    batches,
    columns,
)
from spark_jobs.record_codecs import MOST_BYTES
from spark_jobs.record_fields import UnusualRecordsError
from telemetry.errors import HeadwaterError

Headers = list[tuple[str, bytes | None]]
Record = tuple[int, bytes | None, bytes | None, Headers]
CONTENT = st.none() | st.binary(max_size=300)
HEADERS = st.lists(st.tuples(st.text(max_size=9), st.none() | st.binary(max_size=9)), max_size=5)
RECORD = st.tuples(st.integers(-(2**40), 2**40), CONTENT, CONTENT, HEADERS)
CODECS = st.sampled_from([0, 1, 3, 4])
SENT = st.lists(st.tuples(CODECS, st.lists(RECORD, min_size=1, max_size=20)), max_size=6)
PLAIN: list[Record] = [(5, b"k", b"v", [("a", b"1")]), (6, None, b"", [])]


def encoded(records: Sequence[Record], *, offset: int = 0, codec: int = 0, **more: object) -> bytes:
    """Encode records as a producer does."""
    builder = MemoryRecordsBuilder(2, codec, 1 << 20, offset=offset)
    if more:
        builder.set_producer_state(**more)
    for time_ms, key, value, headers in records:
        assert builder.append(1_700_000_000_000 + time_ms, key, value, headers)
    builder.close()
    return bytes(builder.buffer())


def rows(found: Columns) -> list[tuple[object, ...]]:
    """Return columns as rows."""
    headers = [
        [(pair["key"], pair["value"]) for pair in pairs] for pairs in found.headers.to_pylist()
    ]
    lists = [found.offset.tolist(), found.time_us.tolist()]
    return [*zip(*lists, found.key.to_pylist(), found.value.to_pylist(), headers, strict=True)]


def read(blob: bytes, aborted: Sequence[Aborted] = ()) -> list[tuple[object, ...]]:
    """Read all batches together."""
    return rows(columns([*batches(blob, aborted)]))


@given(SENT)
def test_columns_are_what_the_library_reads(sent: list[tuple[int, list[Record]]]) -> None:
    blob, offset = b"", 3
    for codec, records in sent:
        blob += encoded(records, offset=offset, codec=codec)
        offset += len(records) + 2

    expected = [
        (one.offset, one.timestamp * 1000, one.key, one.value, [*map(tuple, one.headers)])
        for batch in MemoryRecords(blob)
        for one in batch
    ]
    assert read(blob) == expected


@given(SENT, st.data())
def test_offsets_that_are_not_wanted_are_left_out(
    sent: list[tuple[int, list[Record]]], data: st.DataObject
) -> None:
    blob, offset = b"", 3
    for codec, records in sent:
        blob += encoded(records, offset=offset, codec=codec)
        offset += len(records) + 2
    found = [*batches(blob)]
    bounds = st.tuples(st.integers(0, offset), st.integers(0, offset))
    wanted = data.draw(st.lists(bounds, min_size=len(found), max_size=len(found)))
    kept = [
        (number, row)
        for number, (batch, (first, until)) in enumerate(zip(found, wanted, strict=True))
        for row in rows(columns([batch]))
        if first <= row[0] < until  # type: ignore[operator]
    ]

    told = columns(found, wanted) if found else columns([])

    assert [*zip(told.batch.tolist(), rows(told), strict=True)] == kept


USUAL = st.binary(max_size=20).map(lambda more: b'{"v":1,"ts"' + more)
MOSTLY_USUAL = st.lists(st.tuples(st.integers(0, 9), CONTENT, USUAL, HEADERS), min_size=8)


@given(MOSTLY_USUAL, st.lists(st.tuples(st.integers(0, 40), RECORD), max_size=2), CODECS)
def test_what_begins_like_most_comes_first_and_each_record_is_as_before(
    sent: list[Record], others: list[tuple[int, Record]], codec: int
) -> None:
    for place, record in others:
        sent.insert(place, record)
    found = [*batches(encoded(sent, codec=codec))]

    told = rows(columns(found, usual_first=True))

    expected = sorted(rows(columns(found)), key=lambda row: not _begins_usual(row[3]))
    assert told == expected


def _begins_usual(value: object) -> bool:
    return isinstance(value, bytes) and value.startswith(b'{"v":1,"')


def test_a_long_value_comes_last_and_without_a_usual_one_nothing_is_moved() -> None:
    one, long, other = b'{"v":1}{', b'{"v":1}{' + b"x" * 70_000, b"12345678"
    sent: list[Record] = [(0, b"k", value, []) for value in (one, long, one, one, one, one)]
    mixed: list[Record] = [(0, b"k", value, []) for value in (one, other, one, other, one)]

    def offsets(records: list[Record]) -> list[int]:
        return [*columns([*batches(encoded(records))], usual_first=True).offset.tolist()]

    assert offsets(sent) == [0, 2, 3, 4, 5, 1]
    assert offsets(mixed) == [0, 1, 2, 3, 4]
    assert columns([], usual_first=True).offset.tolist() == []


def test_a_record_of_very_many_headers_costs_what_it_has() -> None:
    many: Record = (0, None, b"v", [("h", b"1")] * 4_000)
    few: Record = (0, None, b"v", [("h", b"1")])
    found = [*batches(encoded([few] * 10 + [many] + [few] * 10_000))]
    assert read(encoded(PLAIN)), "what is loaded by the first use is loaded"

    tracemalloc.start()
    read_here = columns(found)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert read_here.headers.value_lengths().to_pylist() == [1] * 10 + [4_000] + [1] * 10_000
    assert peak < 20_000_000


def test_values_as_long_as_they_may_be() -> None:
    sent: list[Record] = [(0, b"k", b"x" * size, []) for size in (63, 64, 8191, 8192, 2_000_000)]
    builder = MemoryRecordsBuilder(2, 0, 1 << 25)
    for _, key, value, headers in sent:
        builder.append(7, key, value, headers)
    builder.close()
    found = columns([*batches(bytes(builder.buffer()))])
    assert found.value.to_pylist() == [value for _, _, value, _ in sent]


def test_a_batch_that_is_cut_off_is_left_out() -> None:
    whole, other = encoded(PLAIN), encoded(PLAIN, offset=2)
    for size in (1, 30, len(other) - 1):
        assert [batch.offset for batch in batches(whole + other[:size])] == [0]
    assert [batch.next_offset for batch in batches(whole + other)] == [2, 4]


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_damaged_bytes_are_not_read(place: int, flip: int) -> None:
    blob = bytearray(encoded(PLAIN))
    behind_length = 16
    blob[behind_length + place % (len(blob) - behind_length)] ^= flip
    try:
        found = read(bytes(blob))
    except (HeadwaterError, ValueError):
        return
    assert found == read(encoded(PLAIN))


@given(st.binary(max_size=80), st.integers(1, 4))
def test_records_that_are_no_records_are_an_error(content: bytes, count: int) -> None:
    try:
        found = columns([Batch(0, count, 0, None, content, count)])
    except HeadwaterError:
        return
    assert len(found.offset) == count


def test_time_of_the_broker_where_the_topic_goes_by_it() -> None:
    blob = bytearray(encoded(PLAIN))
    attributes = 21
    struct.pack_into(">h", blob, attributes, 8)
    struct.pack_into(">q", blob, 35, 1_800_000_000_000)
    struct.pack_into(">I", blob, 17, crc32c(bytes(blob[attributes:])))
    assert [row[1] for row in read(bytes(blob))] == [1_800_000_000_000_000] * 2


def transaction(offset: int, producer: int) -> bytes:
    """Encode records of a transaction."""
    state = {"producer_id": producer, "producer_epoch": 0, "base_sequence": 0}
    return encoded(PLAIN, offset=offset, is_transactional=True, **state)


def test_transactions_that_were_given_up_have_no_records() -> None:
    blob = transaction(0, 8) + transaction(2, 9) + encoded(PLAIN, offset=4)
    assert [row[0] for row in read(blob, [Aborted(2, 9)])] == [0, 1, 4, 5]
    assert [row[0] for row in read(blob, [Aborted(0, 8), Aborted(2, 9)])] == [4, 5]
    assert [row[0] for row in read(blob)] == [0, 1, 2, 3, 4, 5]


def test_a_form_that_is_not_read_in_columns_is_said_to_be() -> None:
    builder = MemoryRecordsBuilder(1, 0, 1 << 20)
    builder.append(1, b"k", b"v")
    builder.close()
    with pytest.raises(UnusualRecordsError, match="format 1"):
        [*batches(bytes(builder.buffer()))]
    blob = bytearray(encoded(PLAIN))
    struct.pack_into(">h", blob, 21, 2)
    struct.pack_into(">I", blob, 17, crc32c(bytes(blob[21:])))
    with pytest.raises(UnusualRecordsError, match="codec 2"):
        [*batches(bytes(blob))]


def test_few_bytes_that_say_very_many_are_left_to_spark() -> None:
    packed = pa.Codec("zstd").compress(bytes(MOST_BYTES + 1)).to_pybytes()
    blob = bytearray(encoded(PLAIN)[:61]) + packed
    struct.pack_into(">i", blob, 8, len(blob) - 12)
    struct.pack_into(">h", blob, 21, 4)
    struct.pack_into(">I", blob, 17, crc32c(bytes(blob[21:])))
    with pytest.raises(UnusualRecordsError, match="beyond all measure"):
        [*batches(bytes(blob))]


def test_a_producer_may_commit_after_it_gave_up() -> None:
    mark = bytearray(transaction(4, 9))
    struct.pack_into(">h", mark, 21, 0x30)
    struct.pack_into(">I", mark, 17, crc32c(bytes(mark[21:])))
    blob = transaction(2, 9) + bytes(mark) + transaction(6, 9)
    assert [row[0] for row in read(blob, [Aborted(2, 9)])] == [6, 7]


def test_records_end_where_they_say() -> None:
    (batch,) = batches(encoded(PLAIN))
    with pytest.raises(HeadwaterError, match="cut off"):
        columns([batch._replace(rows=1), batch])
    longer = bytes([batch.records[0] + 2]) + batch.records[1:] + b"\0"
    shorter = batch.records[: 1 + (batch.records[0] >> 1)]
    one_too_long = bytes([shorter[0] + 2]) + shorter[1:] + b"\0"
    with pytest.raises(HeadwaterError):
        columns([batch._replace(records=longer)])
    with pytest.raises(HeadwaterError, match="not as long"):
        columns([batch._replace(rows=1, records=one_too_long)])
