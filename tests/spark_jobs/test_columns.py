"""What columns say of messages is what `judge` says of each of them, for any mix of records.

Nor does it matter what else is in a batch, how records are shared out, or who judges them.
"""

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.poison import BODIES
from spark_jobs.transforms.columns import accepted
from spark_jobs.transforms.fleet import Fleet
from spark_jobs.transforms.judged import judged, one_by_one
from spark_jobs.transforms.judgement import PACKS, Judgement, as_one, packed, unpacked
from spark_jobs.transforms.routes import with_readings
from spark_jobs.transforms.senders import headers_of
from spark_jobs.transforms.senders import senders as senders_of
from telemetry.products import product_from_dict
from tests.spark_jobs.odd_records import FLEET, KNOWN, REGISTRY, Sent, batch_of, records, whole
from tests.telemetry.builders import METER, TOLERANCE


def in_order(found: Judgement) -> pl.DataFrame:
    frame = with_readings(found, np.arange(found.messages.num_rows)).drop("row")
    one = pl.element().struct.field("metric")
    ordered = frame.with_columns(
        pl.col("readings").list.eval(pl.element().sort_by(one)),
        pl.col("tags").map.entries(),
    )
    return ordered.sort("offset", "item")


def assert_same(found: Judgement, expected: Judgement) -> None:
    assert_rows(found, in_order(expected).rows())


def assert_rows(found: Judgement, expected: list[tuple[object, ...]]) -> None:
    for left, right in zip(in_order(found).rows(), expected, strict=True):
        # As texts: 0.0 and -0.0 are equal, but not the same.
        assert repr(left) == repr(right)


def defined(batch: pa.RecordBatch) -> Judgement:
    return one_by_one(batch, REGISTRY, tolerance_us=TOLERANCE)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(records, min_size=1, max_size=12))
def test_columns_say_what_judge_says(sent: list[Sent]) -> None:
    batch = batch_of(sent)
    found = as_one(judged([batch], FLEET, tolerance_us=TOLERANCE, fewest=1))
    assert_same(found, defined(batch))


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(records, min_size=1, max_size=12), st.integers(1, 12), st.sampled_from([1, 3, 64]))
def test_neither_batches_nor_who_judges_them_matters(
    sent: list[Sent], rows: int, fewest: int
) -> None:
    batch = batch_of(sent)
    shown = [batch.slice(first, rows) for first in range(0, len(sent), rows)]
    found = [*judged(shown, FLEET, tolerance_us=TOLERANCE, fewest=fewest)]
    by_workers = unpacked(pa.Table.from_batches(map(packed, found), PACKS))
    expected = in_order(defined(batch)).rows()
    for one in (as_one(found), by_workers):
        assert_rows(one, expected)


poison = st.sampled_from(BODIES).map(lambda body: whole(body[0]))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.integers(0, 300), records | poison), max_size=12))
def test_verdicts_are_the_same_whatever_is_wrong_among_many(odd: list[tuple[int, Sent]]) -> None:
    said = b'{"ts":"2026-11-21T08:00:00.5Z","seq":%d,"metrics":{"kwh":%d.5}}'
    sent = [whole(said % (number, number % 110)) for number in range(300)]
    for place, record in odd:
        sent.insert(place, record)
    batch = batch_of(sent)
    found = as_one(judged([batch], FLEET, tolerance_us=TOLERANCE))
    assert_same(found, defined(batch))


def accepted_rows(values: list[bytes], device: str = "meter.d1") -> list[int]:
    batch = batch_of([whole(value, device) for value in values])
    times = batch.column("timestamp").cast(pa.int64()).to_numpy()
    known = senders_of(batch, headers_of(batch.column("headers")), times, FLEET)
    found = accepted(batch, known, FLEET, tolerance_us=TOLERANCE, fewest=1)
    return sorted(int(row) for rows, _ in found for row in rows)


def test_good_messages_are_all_judged_in_columns() -> None:
    tags = {"line": "3"}
    values = [
        orjson.dumps({"ts": "2026-11-21T08:00:00.5Z", "metrics": {"kwh": 1}, "tags": tags}),
        orjson.dumps({"seq": 1, "boot": "b", "metrics": {"kwh": 0.5, "state": "?", "open": True}}),
        orjson.dumps({"seq": 2, "metrics": {"kwh": 50, "gone": False}, "lat": 1, "lng": 2}),
        orjson.dumps({"v": 1, "seq": 3, "metrics": {"kwh": 100}, "device": "d1"}),
    ]
    assert accepted_rows(values) == [0, 1, 2, 3]
    assert accepted_rows([b'{"seq":1,"metrics":{"kwh":1,"open":true}}'], "plain") == [0]


def test_broken_lines_leave_those_beside_them_alone() -> None:
    values = [b'{"seq":%d,"metrics":{"kwh":%d}}' % (number, number % 50) for number in range(500)]
    values[3] = b'{"seq":3,"metrics":{"kwh":"x"}}'
    values[77] = b'{"seq":77,"metrics":{"kwh":1}'
    values[78] = b'{"seq":1.5,"metrics":{"kwh":1}}'
    values[200] = b'{"seq":1,"metrics":{"kwh":1}}{"seq":2}'
    values[201] = b'{"seq":1,"surprise":7,"metrics":{"kwh":1}}'
    values[499] = b"[1]"
    wrong = {3, 77, 78, 200, 201, 499}
    assert accepted_rows(values) == [number for number in range(500) if number not in wrong]


def test_lines_that_all_break_end_the_trying() -> None:
    assert accepted_rows([b'{"seq":1,"metrics":{"kwh":"x"}}'] * 1000) == []


def test_what_few_messages_say_is_read_in_columns_as_well() -> None:
    values = [b'{"seq":%d,"metrics":{"kwh":1}}' % number for number in range(2000)]
    values[7] = b'{"seq":7,"metrics":{"kwh":1},"lat":1.5,"lng":2}'
    values[8] = b'{"seq":8,"metrics":{"kwh":1,"state":"on"},"device":"d1"}'
    values[9] = b'{"seq":9,"metrics":{"kwh":1,"surprise":1}}'
    assert accepted_rows(values) == [row for row in range(2000) if row != 9]


def test_fields_beside_those_of_a_message_leave_it_in_columns() -> None:
    said = b'{"seq":%d,"rssi":-%d,"fw":"1.2","ok":true,"metrics":{"kwh":1}}'
    values = [said % (number, number) for number in range(300)]
    odd = [b"NaN", b"1e999", b"9007199254740993", b'"weak"', b"null", b'{"a":1}', b"[1]", b"x"]
    for number, rssi in enumerate(odd):
        values[number] = b'{"seq":%d,"rssi":%b,"metrics":{"kwh":1}}' % (number, rssi)

    assert accepted_rows(values) == [*range(len(odd), 300)]
    batch = batch_of([whole(value) for value in values])
    found = as_one(judged([batch], FLEET, tolerance_us=TOLERANCE))
    assert_same(found, defined(batch))
    wrong = sum(bool(reasons) for reasons in found.messages["reasons"].to_pylist())
    assert wrong == 3, "what is no JSON is refused, all else may be said"


def test_a_metric_that_must_be_said_is_missed_where_no_message_says_it() -> None:
    metrics = {"kwh": {"type": "double"}, "volts": {"type": "double", "required": True}}
    product = product_from_dict({**METER, "versions": [{"version": 1, "metrics": metrics}]})
    fleet = Fleet.of([product], KNOWN[1])
    batch = batch_of([whole(b'{"seq":%d,"metrics":{"kwh":1}}' % number) for number in range(99)])
    (found,) = judged([batch], fleet, tolerance_us=TOLERANCE)
    rules = [[reason["rule"] for reason in said] for said in found.messages["reasons"].to_pylist()]
    assert rules == [["required"]] * 99


def test_whole_zero_with_a_sign_is_zero() -> None:
    values = [
        b'{"seq":%d,"metrics":{"kwh":%b}}' % (n, b"-0" if n == 7 else b"0") for n in range(99)
    ]
    values[8] = b'{"seq":8,"metrics":{"kwh":-0.0}}'
    assert accepted_rows(values) == [number for number in range(99) if number != 7]


def test_words_of_a_metric_that_are_no_texts_are_said_by_no_message() -> None:
    state = {"type": "string", "values": ["on", 1], "sentinels": [-1]}
    versions = [{"version": 1, "metrics": {"state": state}}]
    fleet = Fleet.of([product_from_dict({**METER, "versions": versions})], KNOWN[1])
    values = [b'{"seq":%d,"metrics":{"state":"%b"}}' % (n, b"on" if n else b"1") for n in range(99)]
    batch = batch_of([whole(value) for value in values])
    (found, left) = judged([batch], fleet, tolerance_us=TOLERANCE)
    assert (found.messages.num_rows, left.messages.num_rows) == (98, 1)
    assert left.messages["reasons"].to_pylist()[0][0]["rule"] == "values"


def test_tags_are_in_the_order_of_their_names_whoever_judges() -> None:
    turned = {"line": "3", "hall": "a"}
    said = [orjson.dumps({"seq": n, "metrics": {"kwh": 1}, "tags": turned}) for n in range(99)]
    batch = batch_of([whole(value) for value in said])
    for found in (as_one(judged([batch], FLEET, tolerance_us=TOLERANCE)), defined(batch)):
        assert found.messages["tags"].to_pylist() == [[("hall", "a"), ("line", "3")]] * 99
