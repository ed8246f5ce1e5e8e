"""Sealed secrets: opened by the ring that sealed them, for whom they were sealed."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.sealing import KeyRing, SealError, rewrapped, seal, unseal

OLD = KeyRing("k1", {"k1": b"1" * 32})
NEW = KeyRing("k2", {**OLD.keys, "k2": b"2" * 32})


@given(st.binary(max_size=200), st.binary(max_size=50))
def test_sealed_secret_opens(secret: bytes, context: bytes) -> None:
    assert unseal(seal(secret, OLD, context), OLD, context) == secret


def test_secret_is_not_to_be_read_and_no_two_seals_are_alike() -> None:
    first, second = (seal(b"secret", OLD, b"m1") for _ in range(2))
    assert "secret" not in repr(first)
    assert first.sealed != second.sealed
    assert "1111" not in repr(OLD)


def test_seal_of_another_device_does_not_open() -> None:
    with pytest.raises(SealError, match="another device's"):
        unseal(seal(b"secret", OLD, b"m1"), OLD, b"m2")


def test_unknown_or_wrong_key_is_named() -> None:
    sealed = seal(b"secret", OLD, b"m1")
    with pytest.raises(SealError, match="no key-encryption key 'k1'"):
        unseal(sealed, KeyRing("k9", {"k9": b"9" * 32}), b"m1")
    with pytest.raises(SealError, match="does not open"):
        unseal(sealed, KeyRing("k1", {"k1": b"x" * 32}), b"m1")


def test_new_key_takes_over_what_the_old_one_sealed() -> None:
    sealed = seal(b"secret", OLD, b"m1")
    moved = rewrapped(sealed, NEW)
    assert moved == replace(sealed, key_id="k2", wrapped_key=moved.wrapped_key)
    assert unseal(moved, KeyRing("k2", {"k2": b"2" * 32}), b"m1") == b"secret"
    assert unseal(sealed, NEW, b"m1") == b"secret"
