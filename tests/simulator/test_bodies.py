"""The scorer's own decoder beside telemetry's: the same messages of every record."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.scoring.bodies import read_items
from telemetry.message import decode

VALUES = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**53), 2**53),
    st.booleans(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)
MESSAGES = st.fixed_dictionaries(
    {"metrics": st.dictionaries(st.text("abc", min_size=1), VALUES, min_size=1, max_size=4)},
    optional={"seq": st.integers(0, 2**40), "boot": st.text("xyz", max_size=5)},
)
SPACE = st.text(" \t\r\n", max_size=3)


@given(MESSAGES, st.booleans())
def test_one_message_is_read_alike(message: dict[str, object], ascii_only: bool) -> None:
    value = json.dumps(message, ensure_ascii=ascii_only).encode()

    (item,) = read_items(value)
    (decoded,) = decode(value)

    assert decoded.message is not None
    assert item.fields is not None
    assert item.body == decoded.raw
    assert item.fields["metrics"] == decoded.message.metrics
    assert item.fields.get("seq") == decoded.message.seq


@given(st.lists(MESSAGES, min_size=1, max_size=5), SPACE)
def test_list_is_cut_at_the_same_places(messages: list[dict[str, object]], space: str) -> None:
    comma = f"{space},{space}"
    texts = comma.join(json.dumps(message) for message in messages)
    value = f"{space}[{space}{texts}{space}]{space}".encode()

    assert [item.body for item in read_items(value)] == [found.raw for found in decode(value)]


@given(st.binary(max_size=60))
def test_rubbish_is_one_message_that_says_nothing(value: bytes) -> None:
    items = read_items(value)

    assert [item.body for item in items] == [found.raw for found in decode(value)]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b'{"metrics":{"a":NaN}}',
        b'{"metrics":{"a":' + b"[" * 3000 + b"]" * 3000 + b"}}",
        b'{"metrics":{"a":"\xff"}}',
        b'{"metrics":{"a":1}} x',
        b"[1, 2",
        b"[]",
        b"42",
    ],
)
def test_what_is_no_message_has_no_fields(value: bytes) -> None:
    (item,) = read_items(value)

    assert item.fields is None
    assert item.body == value
