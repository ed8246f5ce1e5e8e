"""Records of `registry.changes`: what goes in comes out, and secrets stay sealed."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.changes import (
    BODIES,
    KINDS,
    Body,
    Change,
    ChangeError,
    ChangeKey,
    Kind,
    ProductBody,
    RuleBody,
    decode_change,
    encode_change,
)
from telemetry.devices import Device

text = st.text(max_size=20)
times = st.datetimes(timezones=st.just(UTC))
devices = st.builds(
    Device,
    device_full=text,
    valid_from=st.none() | times,
    lat=st.none() | st.floats(-90, 90),
    durability=st.sampled_from([None, "industrial", "consumer"]),
)
st.register_type_strategy(Device, devices)
st.register_type_strategy(datetime, times)
bodies: st.SearchStrategy[Body] = st.one_of(
    st.builds(ProductBody, declaration=st.dictionaries(text, text)),
    st.builds(RuleBody, declaration=st.dictionaries(text, text)),
    *(st.builds(body) for body in BODIES.values() if body not in (ProductBody, RuleBody)),
)


@given(bodies, text, text.filter(lambda tenant: "/" not in tenant), st.integers(1, 2**60), times)
def test_what_is_encoded_is_decoded(
    body: Body, name: str, tenant: str, edition: int, at: datetime
) -> None:
    change = Change(ChangeKey(KINDS[type(body)], tenant, name), edition, at, body)
    assert decode_change(*encode_change(change)) == change


@given(st.sampled_from(sorted(BODIES)), times)
def test_what_is_gone_has_its_edition_in_the_headers(kind: Kind, at: datetime) -> None:
    gone = Change(ChangeKey(kind, "default", "x/y"), 7, at, None)
    record = encode_change(gone)
    assert record.value is None
    assert decode_change(*record) == gone


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"device", b"{}"),
        (b"\xff", b"{}"),
        (b"device/default/m1", b"{"),
        (b"device/default/m1", b'{"edition":1,"changed_at":"soon","body":{}}'),
        (b"device/default/m1", b'{"edition":1,"changed_at":"2026-01-01T00:00:00Z","body":{}}'),
        (b"device/default/m1", None),
    ],
)
def test_rubbish_is_a_named_error(key: bytes, value: bytes | None) -> None:
    with pytest.raises(ChangeError, match=r"registry\.changes, key"):
        decode_change(key, value)


def test_kind_of_a_newer_release_is_left_alone() -> None:
    assert decode_change(b"twin/default/m1", b"whatever") is None
