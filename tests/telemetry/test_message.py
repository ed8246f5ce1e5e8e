"""Keys of messages and the reading of times."""

import hashlib

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.message import MOST_REASONS, Place, Reason, decode, message_key, parse_time, shown

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def key(raw: bytes) -> tuple[str, int]:
    message = decode(raw)[0].message
    return message_key(message, raw, Place("telemetry", 3, 9, 2, 3))


def test_seq_is_the_key_with_an_empty_boot_by_default() -> None:
    assert key(b'{"seq":4,"metrics":{"a":1}}') == ("", 4)
    assert key(b'{"seq":4,"boot":"b","metrics":{"a":1}}') == ("b", 4)


def test_time_without_seq_is_keyed_by_the_bytes() -> None:
    raw = b'{"ts":"2026-01-01T00:00:00Z","boot":"b","metrics":{"a":1}}'

    assert key(raw) == ("h:" + hashlib.sha256(raw).hexdigest()[:32], 0)


def test_neither_is_keyed_by_its_coordinates() -> None:
    assert key(b'{"metrics":{"a":1}}') == ("k:telemetry:3:2", 9)
    assert key(b"rubbish") == ("k:telemetry:3:2", 9)


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("1970-01-01T00:00:00.000001Z", 1),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01 00:00:01", 1_000_000),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("2026-11-21t08:00:00z", 1795248000000000),
        ("yesterday", None),
        ("z", None),
        ("2026-13-01", None),
        ("0001-01-01T00:00:00Z", -62135596800000000),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59.999999Z", 253402300799999999),
        ("9999-12-31T23:59:59.999999-00:01", None),
        ("2026-11-21T08:00:00.1234567Z", 1795248000123456),
        ("2026-11-21T08:00:60Z", None),
    ],
)
def test_times_are_read_exactly(text: str, micros: int | None) -> None:
    assert parse_time(text) == micros


@given(st.datetimes())
def test_any_iso_time_is_read_to_the_microsecond(moment: object) -> None:
    assert parse_time(f"{moment}Z") is not None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1, "x", None, 0.5, True]}, '{"a":[1,"x",null,0.5,true]}'),
        (2**64 - 1, "18446744073709551615"),
        (-(2**70), "-1180591620717411303424"),
        ([2**64], "[18446744073709551616]"),
        ({1: 2}, '{"1":2}'),
        (b"ab", "b'ab'"),
        ({"a", "b"}, "set"),
    ],
)
def test_value_is_shown_as_json(value: object, text: str) -> None:
    assert shown(value) == text


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


def test_of_a_value_of_any_size_and_depth_the_beginning_is_shown() -> None:
    large = [
        ("y" * 900_000, '"yyy'),
        (nested(5_000), "[[[["),
        ([{"a": 1}] * 100_000, '[{"a":1},{"a":1},'),
        (dict.fromkeys(map(str, range(100_000)), 1), '{"0":1,"1":1,'),
        (2**100_000, "0x1000"),
        (b"\0" * 900_000, "b'\\x00"),
    ]
    for value, begin in large:
        text = shown(value)
        assert text.startswith(begin)
        assert (len(text), text[-1]) == (201, "…")


def test_what_says_itself_many_times_is_not_written_out() -> None:
    laughing: object = "ha"
    for _ in range(64):
        laughing = [laughing] * 10
    assert len(shown(laughing)) == 201


@given(values)
def test_what_is_short_is_shown_whole(value: object) -> None:
    whole = orjson.dumps(value).decode()
    assert shown(value) == (whole if len(whole) <= 200 else whole[:200] + "…")


def test_of_very_many_wrong_tags_the_last_are_counted() -> None:
    tags = b",".join(b'"t%d":1' % number for number in range(MOST_REASONS + 30))
    (found,) = decode(b'{"metrics":{"a":1},"tags":{%b}}' % tags)
    assert len(found.reasons) == MOST_REASONS + 1
    assert found.reasons[-1] == Reason("tags", "type", "and 30 tags more")
