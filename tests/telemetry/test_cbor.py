"""Which tags of CBOR are taken, and what the rest may cost: nothing."""

import time
from io import BytesIO

import cbor2
import pytest
from cbor2 import CBORTag

from telemetry.cbor import TAKEN, decoder
from telemetry.encodings import CBOR, decode_as
from telemetry.message import Decoded

HEAD = b"\xa1" + cbor2.dumps("metrics") + b"\xa1" + cbor2.dumps("a")
LARGE = 2**2_000_000 - 1
ALIKE = 2**61 - 1
"""Whole numbers that differ by it have one hash."""


def read(value: object) -> Decoded:
    (found,) = decode_as(HEAD + cbor2.dumps(value), CBOR)
    return found


@pytest.mark.parametrize("form", [cbor2.dumps(CBORTag(4, [0, LARGE])), b"\xd9\xd9\xf7\xc4\x01"])
def test_refused_tag_is_named(form: bytes) -> None:
    (found,) = decode_as(HEAD + form, CBOR)

    (reason,) = found.reasons
    assert (reason.rule, reason.value) == ("malformed", f"error decoding semantic tag 4: {TAKEN}")


def test_times_and_whole_numbers_are_taken() -> None:
    for tag, content in ((0, "2026-11-21T08:00:00Z"), (1, 1_790_000_000)):
        message = {"ts": CBORTag(tag, content), "metrics": {"a": 1}}
        (found,) = decode_as(cbor2.dumps(message), CBOR)
        assert found.message
        assert found.message.ts
    for whole in (2**64, -(2**65)):
        taken = read(whole).message
        assert taken
        assert taken.metrics == {"a": whole}


def made_of(tag: int, content: object) -> object:
    """Return what a tag becomes, or why it becomes nothing."""
    try:
        return decoder(BytesIO(cbor2.dumps(CBORTag(tag, content)))).decode()
    except cbor2.CBORDecodeError as error:
        return str(error)


def test_no_other_tag_is_made_anything_of() -> None:
    for tag in {*range(4, 1_100), 43_000, 2**64 - 1}:
        for content in (1, (1, 1), "1", b"1"):
            refused = f"error decoding semantic tag {tag}: {TAKEN}"
            assert made_of(tag, content) in (refused, CBORTag(tag, content))


@pytest.mark.parametrize(
    "value",
    [
        CBORTag(4, [0, LARGE]),
        CBORTag(5, [0, LARGE]),
        CBORTag(30, [LARGE >> 999_999, LARGE >> 999_998]),
        CBORTag(35, "|".join(f"a{i}" for i in range(30_000))),
        {i * ALIKE: 1 for i in range(2**66 // ALIKE, 2**66 // ALIKE + 18_000)},
    ],
    ids=["decimal", "bigfloat", "rational", "pattern", "names that hash alike"],
)
def test_largest_message_is_refused_at_once(value: object) -> None:
    form = HEAD + cbor2.dumps(value)
    before = time.process_time()
    (found,) = decode_as(form, CBOR)

    assert time.process_time() - before < 0.2
    assert [reason.rule for reason in found.reasons] == ["malformed"]
