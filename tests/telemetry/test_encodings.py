"""CBOR, plain and compact: the same messages as in JSON."""

import cbor2
import orjson
import pytest
from cbor2 import CBORTag
from hypothesis import given
from hypothesis import strategies as st

from telemetry.encodings import CBOR, content_type_of, decode_as, encode_compact
from telemetry.message import MOST_MESSAGES, MOST_REASONS, Reason, decode
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


def test_cbor_that_says_that_it_is_cbor_is_read_as_such() -> None:
    one, told = cbor2.dumps(MESSAGE), b"\xd9\xd9\xf7"

    for payload, count in ((told + one, 1), (told + b"\x82" + one + one, 2)):
        assert content_type_of(payload) == CBOR
        found = decode_as(payload, CBOR)
        assert [each.message and each.message.seq for each in found] == [4] * count
    (broken,) = decode_as(told, CBOR)
    assert broken.reasons[0].rule == "malformed"


@pytest.mark.parametrize("more", [0, 1])
def test_list_of_more_than_can_be_messages_is_refused_as_one(more: int) -> None:
    count = MOST_MESSAGES + more
    in_json = b"[" + b",".join([b"1"] * count) + b"]"
    in_cbor = b"\x9a" + count.to_bytes(4) + b"\1" * count

    for payload, form in ((in_json, JSON), (in_cbor, CBOR)):
        found = decode_as(payload, form)
        rules = {reason.rule for each in found for reason in each.reasons}
        if more:
            assert [(each.raw, rules) for each in found] == [(payload, {"malformed"})]
        else:
            assert (len(found), rules) == (count, {"not_a_message"})


@pytest.mark.parametrize(
    ("payload", "rule"),
    [
        (b"\x80", "empty"),
        (b"\xa1", "malformed"),
        (b"\x01", "not_a_message"),
        (cbor2.dumps({1: 2}), "malformed"),
        (cbor2.dumps({"metrics": {"a": float("nan")}}), "not_finite"),
        (cbor2.dumps(MESSAGE) + b"\0", "malformed"),
        (cbor2.dumps({"r": [], "m": [], "d": []}), "malformed"),
        (cbor2.dumps({"r": [[1]], "m": ["a"], "d": [0]}), "malformed"),
        (cbor2.dumps({"r": 1}), "malformed"),
        (cbor2.dumps({"metrics": {"a": 10**400}}), "not_finite"),
        (cbor2.dumps({"metrics": {2**20_000: 1}}), "malformed"),
        (cbor2.dumps({2**20_000: 1}), "malformed"),
        (cbor2.dumps({b"metrics": {"a": 1}}), "not_a_message"),
        (cbor2.dumps({"metrics": {"a": 1}, "tags": {b"1": "x"}}), "not_a_message"),
        (cbor2.dumps({"metrics": {"a": 1}, "seq": 2**20_000}), "range"),
        (cbor2.dumps({"metrics": {"a": 1}, "lat": 2**20_000, "lng": 0}), "range"),
        (cbor2.dumps({"metrics": {"a": 1}, "tags": {"x": 2**20_000}}), "type"),
        (cbor2.dumps({"metrics": {"a": 1}, "v": CBORTag(30, [1, 2**20_000])}), "malformed"),
        (cbor2.dumps({"metrics": {"a": 1}, "ts": CBORTag(1, 1e300)}), "malformed"),
    ],
)
def test_what_is_no_message_has_its_reason(payload: bytes, rule: str) -> None:
    (found,) = decode_as(payload, CBOR)

    assert found.message is None
    assert found.reasons[0].rule == rule


def compact(**changes: object) -> bytes:
    said = {"b": "b", "s": 7, "t": 10, "m": ["a"], "d": [1], "r": [[0, 15], [5, -3]]}
    return cbor2.dumps(said | changes)


def test_whole_numbers_of_the_compact_form_may_be_floats_but_have_no_fraction() -> None:
    found = decode_as(compact(t=10.0, r=[[0.0, 15.0], [None, -3]], s=7.0), CBOR)
    messages = [each.message for each in found]
    assert [each and (each.ts, each.seq, each.metrics) for each in messages] == [
        (10, 7, {"a": 1.5}),
        (10, 8, {"a": 1.2}),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"t": 1.5},
        {"t": "10"},
        {"t": 2**80},
        {"s": 1.9},
        {"s": True},
        {"s": 2**64},
        {"d": [0.5]},
        {"d": [13]},
        {"r": [[0.5, 1]]},
        {"r": [[0, 1.9]]},
        {"r": [[0, "15"]]},
        {"r": [[0, float("inf")]]},
        {"r": [[0, 2**2000]]},
        {"r": [b"\0\1"]},
        {"r": ["01"]},
        {"m": [5]},
        {"m": [b"a"]},
        {"m": [None]},
        {"m": ["a", "a"], "d": [1, 1], "r": [[0, 1, 2]]},
    ],
)
def test_compact_form_with_numbers_that_are_none_is_malformed(changes: dict[str, object]) -> None:
    (found,) = decode_as(compact(**changes), CBOR)
    assert [reason.rule for reason in found.reasons] == ["malformed"]


def test_compact_rows_that_are_one_row_many_times_are_refused() -> None:
    wide = CBORTag(28, [0, *[None] * 1000])
    names = {"m": [""] * 1000, "d": [None] * 1000}
    (found,) = decode_as(compact(**names, r=[wide, *[CBORTag(29, 0)] * 9000]), CBOR)
    assert [reason.rule for reason in found.reasons] == ["malformed"]


def test_of_very_many_numbers_that_are_not_finite_the_last_are_counted() -> None:
    metrics = dict.fromkeys(map(str, range(MOST_REASONS + 30)), float("nan"))
    (found,) = decode_as(cbor2.dumps({"metrics": metrics}), CBOR)
    assert len(found.reasons) == MOST_REASONS + 1
    assert found.reasons[-1] == Reason("", "not_finite", "and 30 metrics more")


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
