"""CBOR by the examples of RFC 8949: exact where it is well formed, refused where it is not."""

from datetime import UTC, datetime

import cbor2
import orjson
import pytest

from telemetry.encodings import CBOR, decode_as, encode_compact
from telemetry.records import JSON
from tests.telemetry.parsing_cases import malformed_cbor

NUMBERS = """
00 01 0a 17 1818 1819 1864 1903e8 1a000f4240 1b000000e8d4a51000 1bffffffffffffffff 20 29 3863
c249010000000000000000 3bffffffffffffffff c349010000000000000000 3903e7 f90000 f98000 f93c00
fb3ff199999999999a f93e00 f97bff fa47c35000 fa7f7fffff fb7e37e43c8800759c f90001 f90400 f9c400
fbc010666666666666
"""
WORTH = (
    *(0, 1, 10, 23, 24, 25, 100, 1000, 1000000, 1000000000000, 2**64 - 1, -1, -10, -100),
    *(2**64, -(2**64), -(2**64) - 1, -1000, 0.0, -0.0, 1.0, 1.1, 1.5, 65504.0, 100000.0),
    *(3.4028234663852886e38, 1e300, 5.960464477539063e-08, 6.103515625e-05, -4.0, -4.1),
)
OTHERS = {"f4": False, "f5": True, "60": "", "6161": "a", "6449455446": "IETF", "62c3bc": "ü"} | {
    "62225c": '"\\',
    "63e6b0b4": "水",
    "64f0908591": "𐅑",
    "7f657374726561646d696e67ff": "streaming",
}
NOT_FINITE = """
f97c00 f97e00 f9fc00 fa7f800000 fa7fc00000 faff800000 fb7ff0000000000000 fb7ff8000000000000
fbfff0000000000000
"""
NO_METRIC = """
f6 f7 f0 f8ff c074323031332d30332d32315432303a30343a30305a c11a514b67b0 d74401020304
c1fb41d452d9ec200000 d818456449455446 d82076687474703a2f2f7777772e6578616d706c652e636f6d 40
4401020304 80 83010203 8301820203820405 a0 a26161016162820203 826161a161626163
5f42010243030405ff 9fff 9f018202039f0405ffff bf61610161629f0203ffff bf6346756ef563416d7421ff
"""
PLAIN = {"metrics": {"a": 1}}


def said(name: str, value: bytes) -> bytes:
    """Return a message of which one metric, or one field beside them, has a value's bytes."""
    field = cbor2.dumps(name)
    if name == "a":
        return b"\xa1" + cbor2.dumps("metrics") + b"\xa1" + field + value
    return b"\xa2" + cbor2.dumps(PLAIN)[1:] + field + value


@pytest.mark.parametrize(
    ("value", "worth"),
    [*zip(NUMBERS.split(), WORTH, strict=True), *OTHERS.items()],
)
def test_value_is_read_exactly(value: str, worth: object) -> None:
    (found,) = decode_as(said("a", bytes.fromhex(value)), CBOR)
    assert found.message is not None
    assert repr(found.message.metrics) == repr({"a": worth})


@pytest.mark.parametrize("value", NOT_FINITE.split())
def test_number_that_is_none_is_refused(value: str) -> None:
    (found,) = decode_as(said("a", bytes.fromhex(value)), CBOR)
    assert [(reason.field, reason.rule) for reason in found.reasons] == [("a", "not_finite")]


@pytest.mark.parametrize("value", NO_METRIC.split())
def test_what_no_metric_can_be_is_kept_for_the_schema_to_refuse(value: str) -> None:
    (found,) = decode_as(said("a", bytes.fromhex(value)), CBOR)
    assert found.message is not None
    assert not isinstance(found.message.metrics["a"], bool | int | float | str)


@pytest.mark.parametrize("field", ["a", "ts", "boot", "seq", "lat", "tags", "v", "device", "other"])
def test_what_is_not_well_formed_is_read_nowhere(field: str) -> None:
    for value in malformed_cbor():
        for payload in (said(field, value), b"\x81" + said(field, value), value):
            assert all(each.message is None for each in decode_as(payload, CBOR)), value.hex()


ROWS = [(1_000_000 * n, {"kw": 20.5 + n / 100, "state": "idle", "open": True}) for n in range(4)]
COMPACT = encode_compact(ROWS, {"kw": 2, "state": None, "open": None}, boot="b", seq=7)


@pytest.mark.parametrize(
    ("payload", "form"),
    [
        (COMPACT, CBOR),
        (cbor2.dumps({"seq": 1, "ts": datetime(2026, 11, 21, tzinfo=UTC), **PLAIN}), CBOR),
        (cbor2.dumps([PLAIN, PLAIN]), CBOR),
        (orjson.dumps({"seq": 1, "boot": "ü", "tags": {"a": "b"}, **PLAIN}), JSON),
        (orjson.dumps([PLAIN, {"seq": 2, **PLAIN}]), JSON),
    ],
    ids=["compact", "cbor", "cbor list", "json", "json list"],
)
def test_what_is_cut_at_any_byte_is_one_message_that_says_why(payload: bytes, form: str) -> None:
    assert all(each.message for each in decode_as(payload, form))
    for end in range(len(payload)):
        (found,) = decode_as(payload[:end], form)
        assert found.message is None
        assert found.raw == payload[:end]
        assert found.reasons[0].rule in ("malformed", "empty")
        assert decode_as(payload[:end] + b"\xff" * (len(payload) - end), form)[0].message is None
