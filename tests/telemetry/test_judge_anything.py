"""Nothing that a device may send raises, and each message has one verdict."""

from datetime import UTC

import cbor2
import orjson
import pytest
from cbor2 import CBORTag
from hypothesis import given
from hypothesis import strategies as st

from telemetry.encodings import CBOR
from telemetry.judge import judge
from tests.telemetry.builders import TOLERANCE, record, registry, rules, verdict


@given(st.binary(max_size=60))
def test_no_bytes_raise_and_each_message_has_one_verdict(value: bytes) -> None:
    for one in judge(record(value), registry(), tolerance_us=TOLERANCE):
        assert bool(one.readings) != bool(one.reasons)


@pytest.mark.parametrize("depth", [200, 254, 255, 990, 1000, 1022])
def test_values_of_any_depth_that_parses_are_told(depth: int) -> None:
    arrays = b"[" * depth + b"]" * depth
    for value in (b'{"metrics":{"kwh":%b}}' % arrays, b'{"metrics":%b}' % arrays):
        assert [rule for _, rule in rules(verdict(value))] == ["type"]


cbor_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(60, 20_000).map(lambda bits: 2**bits)
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=5)
    | st.fractions()
    | st.datetimes(timezones=st.just(UTC))
    | st.builds(CBORTag, st.sampled_from([0, 1, 2, 4, 5, 28, 29, 30, 35, 36, 37, 100]), st.none()),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["v", "metrics", "tags", "ts", "seq", "lat", "boot", 1, -1]),
            inner,
            max_size=4,
        )
        | st.fixed_dictionaries({name: inner for name in "mdr"}, optional={"t": inner, "s": inner})
    ),
    max_leaves=8,
)


@given(cbor_values)
def test_no_cbor_raises(value: object) -> None:
    headers = record(b"").headers | {"content_type": CBOR.encode()}
    sent = record(cbor2.dumps(value), headers=headers)
    for one in judge(sent, registry(), tolerance_us=TOLERANCE):
        assert bool(one.readings) != bool(one.reasons)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["metrics", "kwh", "ts", "seq", "lat", "x"]), inner)
    ),
    max_leaves=8,
)


@given(json_values)
def test_no_json_raises(value: object) -> None:
    try:
        encoded = orjson.dumps(value)
    except TypeError:
        return
    for one in judge(record(encoded), registry(), tolerance_us=TOLERANCE):
        assert bool(one.readings) != bool(one.reasons)
