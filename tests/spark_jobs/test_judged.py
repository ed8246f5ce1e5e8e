"""Records to judged messages, by Arrow batches, without Spark."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from edge.outbox import OutRecord
from edge.spool_partition import SEGMENT_SCHEMA, segments_frame
from spark_jobs.transforms import routes
from spark_jobs.transforms.fleet import Fleet
from spark_jobs.transforms.judged import AT_ONCE, judged
from spark_jobs.transforms.judgement import Judgement, packed, unpacked
from telemetry.products import DEFAULT_PRODUCT
from telemetry.records import record_headers
from telemetry.tables import MESSAGES
from tests.spark_jobs.landing_fleet import DEVICES, METER, NOW, TOLERANCE

REGISTRY = Fleet.of([METER, DEFAULT_PRODUCT], DEVICES)
HEADERS = record_headers("meter.d1", received_at=NOW, protocol="mqtt")
NAMES = ("messages", "readings", "columns", "files")
PACKS = pa.schema([(name, pa.binary()) for name in NAMES])
BODY = b'{"seq": 7, "boot": "b", "metrics": {"kwh": 1.5, "open": true}, "tags": {"line": "3"}}'


def out(value: bytes, headers: list[tuple[str, bytes]] = HEADERS) -> OutRecord:
    return OutRecord(b"meter.d1", value, headers)


def frame(*records: OutRecord, batch_rows: int = 100) -> pl.DataFrame:
    return with_readings(found(*records, batch_rows=batch_rows))


def found(*records: OutRecord, batch_rows: int = 100) -> Judgement:
    return landed(batches(records, batch_rows))


def batches(records: Sequence[OutRecord], batch_rows: int) -> list[pa.RecordBatch]:
    """Return the records as a source shows them, some rows at a time."""
    segment = segments_frame(list(records), 3, 10, NOW)
    return list(segment.to_batches(max_chunksize=batch_rows))


def landed(shown: list[pa.RecordBatch]) -> Judgement:
    packs = map(packed, judged(shown, REGISTRY, tolerance_us=TOLERANCE))
    return unpacked(pa.Table.from_batches(packs, PACKS))


def with_readings(of: Judgement) -> pl.DataFrame:
    return routes.with_readings(of, np.arange(of.messages.num_rows))


def bronze(of: Judgement) -> pl.DataFrame:
    records = routes.heads(of).filter(pl.col("item") == 0)
    return routes.frame_of(routes.bronze(of, records["row"].to_numpy()))


def test_message_has_its_readings_and_its_device() -> None:
    row = frame(out(BODY)).row(0, named=True)
    assert (row["device_full"], row["device"], row["boot"], row["seq"]) == (
        "meter.d1",
        "d1",
        "b",
        7,
    )
    assert (row["zone"], row["lat"], row["retention_class"]) == ("zone 1", 48.0, "default")
    assert row["tags"] == {"line": "3"}
    assert [reading["metric"] for reading in row["readings"]] == ["kwh", "open"]
    assert [reading["value_bool"] for reading in row["readings"]] == [None, True]
    assert row["message"] is None, "the message is the record's whole value"


def test_list_is_a_row_a_message_and_one_record() -> None:
    of_three = found(out(BODY), out(b"[%b, {}]" % BODY), out(BODY))
    messages = routes.frame_of(of_three.messages)
    assert messages["item"].to_list() == [0, 0, 1, 0]
    assert messages["offset"].to_list() == [10, 11, 11, 12]
    assert messages["message"].to_list() == [None, BODY, b"{}", None]
    records = bronze(of_three)
    assert records["items"].to_list() == [1, 2, 1]
    assert records["value"].to_list() == [BODY, b"[%b, {}]" % BODY, BODY]
    assert records.columns == list(MESSAGES.column_names)


@pytest.mark.parametrize("batch_rows", [1, 2, 100])
def test_batches_do_not_matter(batch_rows: int) -> None:
    records = [out(BODY), out(b"{"), out(b"[1,2]"), out(b"")]
    assert frame(*records, batch_rows=batch_rows).equals(frame(*records))


def test_tombstone_keeps_its_place_in_bronze() -> None:
    segment = segments_frame([out(BODY)], 3, 10, NOW)
    column = pa.array([None], pa.binary())
    dead = segment.set_column(SEGMENT_SCHEMA.get_field_index("value"), "value", column)
    row = with_readings(landed(dead.to_batches())).row(0, named=True)
    assert row["value"] is None
    assert [reason["rule"] for reason in row["reasons"]] == ["empty"]


def test_records_without_headers_or_with_one_twice_are_landed() -> None:
    twice = [("device", b"meter.d2"), ("device", b"meter.d1")]
    records = bronze(found(out(BODY, []), out(BODY, twice)))
    assert records["tenant"].to_list() == ["default", "default"]
    assert records["headers"].to_arrow().to_pylist() == [[], [("device", b"meter.d1")]]


def test_digest_is_of_the_bytes_of_messages_that_broke_no_rule() -> None:
    first, same, other, *broken = (
        found(out(BODY), out(b"[%b]" % BODY), out(BODY + b" "), out(b"{"), out(b"[1]"))
        .messages["digest"]
        .to_pylist()
    )
    assert first == same != other
    assert {first, other}.isdisjoint({0})
    assert broken == [0, 0]


def test_no_record_is_no_batch() -> None:
    empty = segments_frame([], 3, 10, NOW)
    assert list(judged(empty.to_batches(), REGISTRY, tolerance_us=TOLERANCE)) == []
    assert landed([]).messages.num_rows == 0


def test_long_lists_are_judged_some_thousand_messages_at_a_time() -> None:
    counts = (AT_ONCE - 1, 3, AT_ONCE + 1, 2)
    lists = [b"[" + b",".join([b"1"] * count) + b"]" for count in counts]

    parts = [*judged(batches([*map(out, lists)], 100), REGISTRY, tolerance_us=TOLERANCE)]

    assert [part.messages.num_rows for part in parts] == [AT_ONCE + 2, AT_ONCE + 1, 2]
    places = [
        (offset, item)
        for part in parts
        for offset, item in zip(
            part.messages["offset"].to_pylist(), part.messages["item"].to_pylist(), strict=True
        )
    ]
    assert places == [(10 + at, item) for at, count in enumerate(counts) for item in range(count)]
    values = [value for part in parts for value in part.messages["value"].to_pylist() if value]
    assert values == lists
