"""The signed MQTT password as Alibaba's Link SDK forms it: made, read and checked; no I/O."""

import hmac
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Literal, NamedTuple

from telemetry.errors import HeadwaterError

Profile = Literal["strict", "compatible"]

HMAC_SHA256 = "hmacsha256"
CLOCK_WINDOW = timedelta(minutes=15)
"""How far from our clock a signed time may be."""
SDK_TIMESTAMP_MS = 2_524_608_000_000
"""The constant that the Link SDK sends for a time."""
_WINDOW_MS = CLOCK_WINDOW // timedelta(milliseconds=1)
_DUMMY = b"\0" * 32
_LONGEST = 512


class CredentialError(HeadwaterError):
    """A client id or user name is not formed as the signed password needs it."""


class SignedLogin(NamedTuple):
    """What a device presents: the triple without its secret, the signed time, the signature."""

    client_id: str
    device: str
    product: str
    timestamp: str | None
    method: str
    signature: str


def sign(
    secret: bytes, *, client_id: str, device: str, product: str, timestamp: str | None = None
) -> str:
    """Return the password: upper-case hex of HMAC-SHA256 over names and values in their order."""
    content = f"clientId{client_id}deviceName{device}productKey{product}"
    if timestamp is not None:
        content += f"timestamp{timestamp}"
    return hmac.digest(secret, content.encode(), "sha256").hex().upper()


def signed_client_id(client_id: str, timestamp: str | None, *, secure_mode: int = 2) -> str:
    """Return the MQTT client id that goes with a signed password."""
    pairs = [f"securemode={secure_mode}", f"signmethod={HMAC_SHA256}"]
    if timestamp is not None:
        pairs.append(f"timestamp={timestamp}")
    return f"{client_id}|{','.join(pairs)}|"


def user_name(device: str, product: str) -> str:
    """Return the MQTT user name of a device."""
    return f"{device}&{product}"


def is_signed(client_id: str) -> bool:
    """Say whether a client id is of the form that a signed password has."""
    return client_id.endswith("|") and client_id.count("|") == 2


def read_login(client_id: str, username: str, password: str) -> SignedLogin:
    """Read what a device presents, or raise `CredentialError`.

    Pairs may stand in any order, their names in either case; what is not known stays unsigned.
    """
    if len(client_id) > _LONGEST or len(username) > _LONGEST or not is_signed(client_id):
        raise CredentialError("the client id is not '{id}|name=value,…|'")
    identifier, text, _ = client_id.split("|")
    device, ampersand, product = username.partition("&")
    if not ampersand or not device or not product:
        raise CredentialError("the user name is not '{deviceName}&{productKey}'")
    pairs = _pairs(text)
    method = pairs.get("signmethod", HMAC_SHA256).lower()
    return SignedLogin(identifier, device, product, pairs.get("timestamp"), method, password)


def _pairs(text: str) -> Mapping[str, str]:
    pairs: dict[str, str] = {}
    for pair in filter(None, text.split(",")):
        said, equals, value = pair.partition("=")
        name = said.lower()
        if not equals or name in pairs:
            raise CredentialError(f"{pair[:40]!r} is not one name=value")
        pairs[name] = value
    return pairs


def signed_by(login: SignedLogin, secrets: Iterable[bytes]) -> bool:
    """Say whether one of the secrets made the signature; no secret costs the time of one."""
    given = login.signature.upper().encode("utf-8", "replace")
    tried = list(secrets) or [_DUMMY]
    is_found = False
    for secret in tried:
        expected = sign(
            secret,
            client_id=login.client_id,
            device=login.device,
            product=login.product,
            timestamp=login.timestamp,
        )
        is_found |= hmac.compare_digest(expected.encode(), given) and secret is not _DUMMY
    return is_found


def time_complaint(
    timestamp: str | None, *, now_ms: int, profile: Profile, is_tls: bool
) -> str | None:
    """Say what is wrong with a signed time; None if it may be believed.

    Strict: within ±15 min of `now_ms`. Compatible: over TLS also the SDK's constant, or none.
    """
    is_lenient = profile == "compatible" and is_tls
    if timestamp is None:
        return None if is_lenient else "no time is signed"
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 15:
        return "the signed time is not in milliseconds"
    if is_lenient and int(timestamp) == SDK_TIMESTAMP_MS:
        return None
    away_ms = abs(int(timestamp) - now_ms)
    return None if away_ms <= _WINDOW_MS else f"the signed time is {away_ms // 1000} s off"
