"""CBOR, plain and compact: the same messages as in JSON."""

import cbor2
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.encodings import CBOR, content_type_of, decode_as, encode_compact
from telemetry.message import decode
from telemetry.records import JSON

MESSAGE = {"v": 1, "ts": "2026-11-21T08:00:00Z", "boot": "b", "seq": 4, "metrics": {"a": 1.5}}


def test_message_is_read_as_its_json_is() -> None:
    (found,) = decode_as(cbor2.dumps(MESSAGE), CBOR)
    (same,) = decode(orjson.dumps(MESSAGE))

    assert found.message == same.message
    assert found.raw == cbor2.dumps(MESSAGE)


@pytest.mark.parametrize("head", [b"\x82", b"\x9f", b"\x98\x02", b"\x9b" + b"\0" * 7 + b"\2"])
def test_elements_of_a_list_keep_their_own_bytes(head: bytes) -> None:
    one, two = cbor2.dumps(MESSAGE), cbor2.dumps({**MESSAGE, "seq": 5})
    tail = b"\xff" if head == b"\x9f" else b""

    found = decode_as(head + one + two + tail, CBOR)

    assert [each.raw for each in found] == [one, two]
    assert [each.message.seq for each in found if each.message] == [4, 5]


@pytest.mark.parametrize(
    ("payload", "rule"),
    [
        (b"\x80", "empty"),
        (b"\xa1", "malformed"),
        (b"\x01", "not_a_message"),
        (cbor2.dumps({1: 2}), "not_a_message"),
        (cbor2.dumps({"metrics": {"a": float("nan")}}), "not_finite"),
        (cbor2.dumps(MESSAGE) + b"\0", "malformed"),
        (cbor2.dumps({"r": [], "m": [], "d": []}), "malformed"),
        (cbor2.dumps({"r": [[1]], "m": ["a"], "d": [0]}), "malformed"),
        (cbor2.dumps({"r": 1}), "malformed"),
    ],
)
def test_what_is_no_message_has_its_reason(payload: bytes, rule: str) -> None:
    (found,) = decode_as(payload, CBOR)

    assert found.message is None
    assert found.reasons[0].rule == rule


rows = st.lists(
    st.tuples(
        st.integers(0, 2**50),
        st.none() | st.integers(-(10**9), 10**9).map(lambda whole: whole / 100),
        st.none() | st.text(max_size=5),
    ),
    min_size=1,
    max_size=20,
)


@given(rows)
def test_compact_form_is_read_as_it_was_written(
    given_rows: list[tuple[int, float | None, str | None]],
) -> None:
    readings = [(time, {"kw": kw, "state": state}) for time, kw, state in given_rows]
    packed = encode_compact(readings, {"kw": 2, "state": None}, boot="b", seq=7)

    found = decode_as(packed, CBOR)

    assert content_type_of(packed) == CBOR
    assert len(found) == len(readings)
    for number, (each, (time, metrics)) in enumerate(zip(found, readings, strict=True)):
        there = {name: value for name, value in metrics.items() if value is not None}
        if not there:
            assert each.message is None
            continue
        assert each.message is not None
        assert (each.message.ts, each.message.boot, each.message.seq) == (time, "b", 7 + number)
        assert each.message.metrics == there


@given(st.binary(max_size=60))
def test_no_bytes_raise(payload: bytes) -> None:
    assert decode_as(payload, CBOR)


def test_json_is_told_from_cbor_by_its_first_byte() -> None:
    assert content_type_of(b'{"metrics":{}}') == JSON
    assert content_type_of(b"") == JSON
    assert content_type_of(cbor2.dumps([MESSAGE])) == CBOR
