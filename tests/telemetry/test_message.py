"""Keys of messages and the reading of times."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.message import Place, decode, message_key, parse_time


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
        ("yesterday", None),
        ("2026-13-01", None),
        ("0001-01-01T00:00:00+14:00", -62135647200000000),
    ],
)
def test_times_are_read_exactly(text: str, micros: int | None) -> None:
    assert parse_time(text) == micros


@given(st.datetimes())
def test_any_iso_time_is_read_to_the_microsecond(moment: object) -> None:
    assert parse_time(f"{moment}Z") is not None
