"""Secrets in envelopes: each under a key of its own, which a key-encryption key wraps.

A process that holds the key-encryption keys opens them; a database, a topic or a backup alone
tells nothing. To change the key-encryption key, only the wraps are written anew.
"""

import os
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap,
    aes_key_wrap,
)

from telemetry.errors import HeadwaterError

KEY_BYTES = 32
NONCE_BYTES = 12


class SealError(HeadwaterError):
    """A sealed secret does not open."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A secret at rest: its own key, wrapped (RFC 3394), and nonce and AES-256-GCM text."""

    key_id: str
    """Of the key-encryption key."""
    wrapped_key: str
    sealed: str


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Key-encryption keys by id; `current` seals, every one opens."""

    current: str
    keys: Mapping[str, bytes]

    def __repr__(self) -> str:
        return f"KeyRing(current={self.current!r}, keys={sorted(self.keys)})"


def seal(secret: bytes, ring: KeyRing, context: bytes) -> Sealed:
    """Seal a secret; `context` says whose it is, and opens no other's."""
    key, nonce = os.urandom(KEY_BYTES), os.urandom(NONCE_BYTES)
    sealed = nonce + AESGCM(key).encrypt(nonce, secret, context)
    wrapped = aes_key_wrap(ring.keys[ring.current], key)
    return Sealed(ring.current, b64encode(wrapped).decode(), b64encode(sealed).decode())


def unseal(sealed: Sealed, ring: KeyRing, context: bytes) -> bytes:
    """Return the secret, or raise `SealError`."""
    key = _unwrapped(sealed, ring)
    whole = b64decode(sealed.sealed)
    try:
        return AESGCM(key).decrypt(whole[:NONCE_BYTES], whole[NONCE_BYTES:], context)
    except InvalidTag as error:
        raise SealError("a sealed secret is another device's, or was changed") from error


def rewrapped(sealed: Sealed, ring: KeyRing) -> Sealed:
    """Return the secret under the current key-encryption key."""
    if sealed.key_id == ring.current:
        return sealed
    wrapped = aes_key_wrap(ring.keys[ring.current], _unwrapped(sealed, ring))
    return Sealed(ring.current, b64encode(wrapped).decode(), sealed.sealed)


def _unwrapped(sealed: Sealed, ring: KeyRing) -> bytes:
    wrapping = ring.keys.get(sealed.key_id)
    if wrapping is None:
        raise SealError(f"no key-encryption key {sealed.key_id!r}: is this its key file?")
    try:
        return aes_key_unwrap(wrapping, b64decode(sealed.wrapped_key))
    except InvalidUnwrap as error:
        raise SealError(f"key {sealed.key_id!r} does not open a secret that it sealed") from error
