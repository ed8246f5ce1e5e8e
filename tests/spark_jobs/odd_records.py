"""Records of every kind that a device may send, among such as most send, for properties."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

import cbor2
import orjson
import pyarrow as pa
from hypothesis import strategies as st

from edge.spool_partition import SEGMENT_SCHEMA
from spark_jobs.transforms.fleet import Fleet
from telemetry.devices import Device
from telemetry.encodings import CBOR
from telemetry.products import history_product, product_from_dict
from telemetry.records import record_headers
from telemetry.registry import Registry
from tests.telemetry.builders import METER, NOW, SECOND


class Sent(NamedTuple):
    """A record as Kafka may hold it."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


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
    [
        product_from_dict({**METER, "versions": [OLD, NEW]}),
        history_product("air", tenant="other"),
    ],
    [
        Device("meter.d1", zone="z", customer="c", firmware="1"),
        MOVED,
        replace(MOVED, zone="b", valid_from=datetime.fromtimestamp(NOW / SECOND - 5, UTC)),
        Device("air.d1", tenant="other"),
        Device("plain"),
        Device("plain", tenant="other"),
    ],
    {
        ("default", "default"): {"kwh": "double", "state": "string", "open": "bool"},
        ("other", "default"): {"kwh": "string", "state": "double"},
        ("other", "air"): {"kwh": "double", "temperature": "double"},
    },
)
REGISTRY = Registry(*KNOWN)
FLEET = Fleet.of(*KNOWN)
DEVICES = [
    ("default", "meter.d1"),
    ("default", "meter.moved"),
    ("other", "air.d1"),
    ("default", "plain"),
    ("other", "plain"),
    ("default", "meter.nobody"),
    ("default", "boiler.d1"),
]

texts = st.sampled_from(["idle", "busy", "?", "", "ü", "a\nb", 'a"b', "null"]) | st.text(max_size=3)
numbers = (
    st.sampled_from([0, 1, -1, 0.5, -200, 99.5, 100, 101, 2**53, 2**63, -0.0, 1e300, 10**25])
    | st.sampled_from([2**53 - 1, 2**53 + 1, -(2**53), 2**64, 2**64 - 1, 1e-310, 5e-324, 1e308])
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
            *("2026-11-21", "20261121T080000Z", "2026-W47-6", "2026-11-21 08:00:00Z"),
            *("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59.999999Z"),
            *("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-14:00"),
            *(f"2026-11-21T08:00:00.{'123456789'[:digits]}Z" for digits in range(10)),
            *("2026-11-21T08:00:00,5Z", "2026-11-21T08:00:00z", "2026-11-21T08:60:00Z"),
            "2026-11-21T24:00:00Z",
            "2026-02-30T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "2026-11-21T08:00:60Z",
            "1904-03-10T18:00:00Z",
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
        "boot": texts | st.sampled_from(["k:", "k:telemetry:0:0", "K:1"]),
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
literals = st.sampled_from(
    [
        *(b"-0", b"-0.0", b"-0e1", b"0e1", b"1E1", b"1e+1", b"1.0", b"99.99999999999999999999"),
        *(b"1e400", b"-1e400", b"1e-400", b"1e308", b"9007199254740993", b"1" * 400),
        *(b"9223372036854775807", b"9223372036854775808", b"18446744073709551616"),
        *(b"01", b"+1", b"1.", b".5", b"-", b"1_0", b"0x1", b"NaN", b"Infinity", b"True"),
        *(b"true", b"null", b"[]", b"{}", b"[1]", b'{"a":1}', b'""', b'"1"', b'"x" ', b" 1"),
        *(rb'"\u0041"', rb'"\ud800"', rb'"\u0000"', b'"\0"', b'"\x7f"', b'"\xff"', b'"a\tb"'),
        *(b"[" * 300 + b"]" * 300, b"[" * 1000 + b"]" * 1000, b"[" * 1025 + b"]" * 1025),
        b'"' + b"y" * 70_000 + b'"',
    ]
)
_TEMPLATES = [
    b'{"seq":%b,"metrics":{"kwh":1}}',
    b'{"seq":1,"metrics":{"kwh":%b}}',
    b'{"seq":1,"metrics":{"kwh":1,"temperature":%b}}',
    b'{"seq":1,"metrics":{"kwh":1,"state":%b}}',
    b'{"seq":1,"metrics":{"kwh":1,"kwh":%b}}',
    b'{"seq":1,"metrics":{"kwh":1},"metrics":{"kwh":%b}}',
    rb'{"seq":1,"metrics":{"k\u0077h":%b}}',
    rb'{"seq":1,"\u006detrics":{"kwh":%b}}',
    b'{"seq":1,"metrics":{"kwh":1,"":%b}}',
    b'{"seq":1,"metrics":{"kwh":1,"' + b"n" * 5000 + b'":%b}}',
    b'{"seq":1,"metrics":%b}',
    b'{"seq":1,"metrics":{"kwh":1},"extra":%b}',
    b'{"seq":1,"metrics":{"kwh":1},"v":%b}',
    b'{"seq":1,"metrics":{"kwh":1},"ts":%b}',
    b'{"seq":1,"metrics":{"kwh":1},"boot":%b}',
    b'{"seq":1,"metrics":{"kwh":1},"lat":%b,"lng":%b}',
    b'{"seq":1,"metrics":{"kwh":1},"tags":%b}',
    b'{"seq":1,"metrics":{"kwh":1},"tags":{"line":"a","hall":%b}}',
    b'{"seq":1,"metrics":{"kwh":1},"tags":{"hall":%b,"line":"a"}}',
    b'{"seq":1,"metrics":{"kwh":1},"tags":{"line":"a","line":%b}}',
    b'[{"metrics":{"kwh":%b}},{"seq":1,"metrics":{"kwh":1}}]',
]
literal = st.tuples(st.sampled_from(_TEMPLATES), literals).map(
    lambda of: of[0].replace(b"%b", of[1])
)
compact = st.fixed_dictionaries(
    {
        "m": st.just(["kwh", "state"]),
        "d": st.sampled_from([[2, None], [0, None], [None, None], [1]]),
        "r": st.lists(
            st.tuples(st.integers(0, 99) | anything, st.integers(-9, 9) | anything, anything),
            max_size=3,
        ),
    },
    optional={"b": texts | anything, "s": st.integers(0, 9) | anything, "t": st.integers(0, NOW)},
)
in_cbor = st.one_of(
    bodies,
    broken,
    compact,
    st.lists(bodies, max_size=2),
    anything,
    st.integers(-(2**2000), 2**2000).map(lambda whole: {"metrics": {"kwh": whole}}),
).map(cbor2.dumps) | st.binary(max_size=9)
senders = st.tuples(
    st.sampled_from([*DEVICES[:5], *DEVICES]),
    st.sampled_from([0, 0, 0, 10 * SECOND, 6 * 60 * SECOND]),
    st.sampled_from(["whole", "whole", "whole", "none", "nobody", "short", "twice", "odd", "null"]),
)


def _sent(value: bytes | None, of: tuple[tuple[str, str], int, str], form: str = "") -> Sent:
    (tenant, device), off_by, headers = of
    said: list[tuple[str, bytes | None]] = [
        *record_headers(device, received_at=NOW - off_by, protocol="mqtt", tenant=tenant)
    ]
    if headers in ("none", "nobody"):
        said = []
    elif headers == "short":
        said = [("device", device.encode())]
    elif headers == "twice":
        said = [("device", b"meter.other"), *said]
    elif headers == "odd":
        said = [("received_at", b"\xff1"), ("product", b""), ("tenant", tenant.encode())]
    elif headers == "null":
        said = [*said, ("received_at", None), ("tenant", None)]
    if form:
        said = [*said, ("content_type", form.encode())]
    return Sent(None if headers == "nobody" else device.encode(), value, said)


records = st.one_of(
    st.builds(_sent, lines, senders),
    st.builds(_sent, lines, senders),
    st.builds(_sent, literal, senders),
    st.builds(_sent, in_cbor, senders, st.sampled_from([CBOR, f"{CBOR}; a=b"])),
    st.builds(_sent, lines | in_cbor | st.none(), senders, st.sampled_from(["", CBOR, "text"])),
)


def whole(value: bytes, device: str = "meter.d1") -> Sent:
    """Return a record with the headers that ours have."""
    return _sent(value, (("default", device), 0, "whole"))


def batch_of(sent: Sequence[Sent]) -> pa.RecordBatch:
    """Return records as Spark's source of Kafka shows them."""
    entries = [[{"key": key, "value": value} for key, value in each.headers] for each in sent]
    count = len(sent)
    columns = [
        [each.key for each in sent],
        [each.value for each in sent],
        ["spool"] * count,
        [3] * count,
        range(10, 10 + count),
        [NOW] * count,
        entries,
    ]
    arrays = [
        pa.array(column, field.type) for column, field in zip(columns, SEGMENT_SCHEMA, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=SEGMENT_SCHEMA)
