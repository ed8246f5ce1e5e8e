"""What columns say of messages is what `judge` says of each of them, for any mix of records."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.outbox import OutRecord
from edge.spool_partition import segments_frame
from spark_jobs.transforms.columns import accepted
from spark_jobs.transforms.fleet import Fleet
from spark_jobs.transforms.judged import judged, one_by_one
from spark_jobs.transforms.judgement import Judgement, as_one
from spark_jobs.transforms.routes import with_readings
from spark_jobs.transforms.senders import headers_of
from spark_jobs.transforms.senders import senders as senders_of
from telemetry.devices import Device
from telemetry.products import history_product, product_from_dict
from telemetry.records import record_headers
from telemetry.registry import Registry
from tests.telemetry.builders import METER, NOW, SECOND, TOLERANCE

OLD = {
    "version": 1,
    "metrics": {
        "kwh": {"type": "int", "unit": "Wh", "max": 50},
        "state": {"type": "string"},
        "gone": {"type": "bool"},
    },
}
NEW = {
    "version": 2,
    "metrics": {
        "kwh": {"type": "double", "unit": "kWh", "min": 0, "max": 100, "required": True},
        "state": {"type": "string", "values": ["idle", "busy"], "sentinels": ["?"]},
        "open": {"type": "bool"},
        "temperature": {"type": "int", "min": -50, "max": 60, "sentinels": [-200, 0.5]},
    },
}
MOVED = Device("meter.moved", zone="a", lat=1.0, lng=2.0)
KNOWN = (
    [product_from_dict({**METER, "versions": [OLD, NEW]}), history_product("air")],
    [
        Device("meter.d1", zone="z", customer="c", firmware="1"),
        MOVED,
        replace(MOVED, zone="b", valid_from=datetime.fromtimestamp(NOW / SECOND - 5, UTC)),
        Device("air.d1", tenant="other"),
        Device("plain"),
    ],
    {("default", "default"): {"kwh": "double", "state": "string", "open": "bool"}},
)
REGISTRY = Registry(*KNOWN)
FLEET = Fleet.of(*KNOWN)
DEVICES = [
    ("default", "meter.d1"),
    ("default", "meter.moved"),
    ("other", "air.d1"),
    ("default", "plain"),
    ("default", "meter.nobody"),
    ("default", "boiler.d1"),
]

texts = st.sampled_from(["idle", "busy", "?", "", "ü", "a\nb", 'a"b', "null"]) | st.text(max_size=3)
numbers = (
    st.sampled_from([0, 1, -1, 0.5, -200, 99.5, 100, 101, 2**53, 2**63, -0.0, 1e300, 10**25])
    | st.integers(-60, 60)
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
)
anything: st.SearchStrategy[object] = (
    st.none() | st.booleans() | numbers | texts | st.just([]) | st.just({}) | st.just([1])
)
fitting = {
    "kwh": numbers,
    "state": texts,
    "open": st.booleans(),
    "temperature": numbers,
}
moments = st.integers(-10 * SECOND, 90 * SECOND).map(
    lambda ago: datetime.fromtimestamp((NOW - ago) / SECOND, UTC)
)
times = st.one_of(
    moments.map(lambda at: at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"),
    moments.map(lambda at: at.isoformat()),
    st.sampled_from(
        [
            "2026-11-21",
            "2026-11-21T24:00:00Z",
            "2026-02-30T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "2026-11-21T08:00:60Z",
            "1904-03-10T18:00:00Z",
            "2026-11-21T08:00:00.12Z",
            "now",
            "",
        ]
    ),
)
bodies = st.fixed_dictionaries(
    {"metrics": st.fixed_dictionaries({}, optional=fitting)},
    optional={
        "v": st.sampled_from([1, 1, 1, 2, 1.0, True]),
        "ts": times,
        "boot": texts,
        "seq": st.integers(0, 9) | st.sampled_from([2**63 - 1, 2**63, -1, 1.0]),
        "lat": st.sampled_from([47, -90, 90.5, 48.125]),
        "lng": st.sampled_from([11, 180, -181]),
        "tags": st.dictionaries(st.sampled_from(["line", "hall", ""]), texts, max_size=2),
        "device": st.sampled_from(["d1", "meter.d1", "moved", "", "plain"]),
        "device_id": st.sampled_from(["d1", "other"]),
    },
)
usual = st.fixed_dictionaries(
    {
        "ts": moments.map(lambda at: at.isoformat().replace("+00:00", "Z")),
        "seq": st.integers(0, 99),
        "metrics": st.fixed_dictionaries(
            {"kwh": st.floats(0, 100)}, optional={"open": fitting["open"]}
        ),
    },
)
broken = st.tuples(
    bodies,
    st.sampled_from(["metrics", "ts", "seq", "boot", "lat", "tags", "v", "extra", "kwh", "gone"]),
    anything,
).map(lambda of: _with(*of))


def _with(body: dict[str, object], name: str, value: object) -> dict[str, object]:
    metrics = body["metrics"]
    assert isinstance(metrics, dict)
    if name in ("kwh", "gone"):
        return {**body, "metrics": {**metrics, name: value}}
    return {**body, name: value}


def _dumped(body: object) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:
        return str(body).replace("'", '"').encode()


_CUTS = [
    *(b"", b"}", b"{", b",", b'"', b"\n", b" ", b"\\u0041", b"\xff", b"null", b"NaN", b"1", b"\0"),
    *(b'"seq":1,', b'"seq":2,"seq":3,', b"}{", b"}\n{", b"[", b"/**/", b"e5", b"."),
]
mangled = st.tuples(
    bodies.map(_dumped),
    st.integers(0, 200),
    st.sampled_from(_CUTS),
    st.integers(0, 2),
).map(lambda of: of[0][: of[1]] + of[2] + of[0][of[1] + of[3] :])
lines = st.one_of(
    usual.map(_dumped),
    usual.map(_dumped),
    bodies.map(_dumped),
    broken.map(_dumped),
    mangled,
    st.lists(bodies, max_size=2).map(_dumped),
    st.sampled_from(
        [b"", b"{}", b"{", b"[]", b"null", b'{"metrics":{}}', b'{"metrics":{"kwh":1e400}}']
    ),
)
senders = st.tuples(
    st.sampled_from([*DEVICES[:4], *DEVICES]),
    st.sampled_from([0, 0, 0, 10 * SECOND, 6 * 60 * SECOND]),
    st.sampled_from(["whole", "whole", "whole", "none", "short", "cbor", "twice", "odd"]),
)


def _record(value: bytes, of: tuple[tuple[str, str], int, str]) -> OutRecord:
    (tenant, device), off_by, form = of
    headers = record_headers(device, received_at=NOW - off_by, protocol="mqtt", tenant=tenant)
    if form == "none":
        headers = []
    elif form == "short":
        headers = [("device", device.encode())]
    elif form == "cbor":
        headers = [*headers[:-1], ("content_type", b"application/cbor")]
    elif form == "twice":
        headers = [("device", b"meter.other"), *headers]
    elif form == "odd":
        headers = [("received_at", b"\xff1"), ("product", b""), ("tenant", tenant.encode())]
    return OutRecord(device.encode(), value, headers)


def batch_of(records: list[OutRecord]) -> pa.RecordBatch:
    return segments_frame(records, 3, 10, NOW).combine_chunks().to_batches()[0]


def in_order(found: Judgement) -> pl.DataFrame:
    frame = with_readings(found, np.arange(found.messages.num_rows)).drop("row")
    one = pl.element().struct.field("metric")
    ordered = frame.with_columns(
        pl.col("readings").list.eval(pl.element().sort_by(one)),
        pl.col("tags").map.entries().list.sort(),
    )
    return ordered.sort("offset", "item")


def assert_equal(records: list[OutRecord]) -> Judgement:
    batch = batch_of(records)
    found = as_one(judged([batch], FLEET, tolerance_us=TOLERANCE, fewest=1))
    expected = one_by_one(batch, REGISTRY, tolerance_us=TOLERANCE)
    for left, right in zip(in_order(found).rows(), in_order(expected).rows(), strict=True):
        assert left == right
    return found


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.builds(_record, lines, senders), min_size=1, max_size=12))
def test_columns_say_what_judge_says(records: list[OutRecord]) -> None:
    assert_equal(records)


def accepted_rows(values: list[bytes], device: str = "meter.d1") -> list[int]:
    batch = batch_of([_record(value, (("default", device), 0, "whole")) for value in values])
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
