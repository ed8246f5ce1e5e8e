"""Tokens: JWTs of registered keys, and of this installation's own key for its own tools."""

import re
from base64 import urlsafe_b64decode
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from math import isfinite
from typing import NamedTuple, cast

import jwt
import msgspec
import orjson

from gateway.directory import Directory, seconds
from gateway.identity import Identity
from telemetry.changes import JwtKeyBody
from telemetry.devices import check_name, split_full_name
from telemetry.errors import DeviceError, HeadwaterError
from telemetry.local_tokens import ALGORITHM, AUDIENCE, ISSUER, KEY_ID

LONGEST_LIFE_S = 24 * 3600
LEEWAY_S = 30
"""How far an issuer's clock may be ahead of ours."""
_FORM = re.compile(r"e(?:y[A-DI-L]|w[k-r0-3])[\w-]*\.[\w-]+\.[\w-]*")
"""Three parts of which the first is an object of JSON, behind whose brace a blank may stand."""

LocalKey = bytes


class _Key(NamedTuple):
    secret: str | bytes
    algorithm: str
    audience: str
    issuer: str


def is_token(password: str) -> bool:
    """Say whether a password has the form of a JWT."""
    return _FORM.fullmatch(password) is not None


def token_identity(
    token: str, directory: Directory, local_key: LocalKey | None, *, now: float
) -> Identity | None:
    """Return the device that a token is made out to, None unless every claim holds."""
    try:
        kid = _key_id(token)
        if kid == KEY_ID:
            return _local(token, directory, local_key, now)
        return _registered(token, kid, directory, now)
    except (jwt.InvalidTokenError, DeviceError, HeadwaterError, ValueError, TypeError):
        return None
    except OverflowError:
        return None  # a time of hundreds of digits, which is no float


def said_by(token: str) -> tuple[str, str]:
    """Return the key and the device that a token says it is of; nothing of it is proven."""
    try:
        return _key_id(token), _said(token.split(".")[1], "sub")
    except ValueError:
        return "", ""


def is_local(token: str) -> bool:
    """Say whether a token names this installation's own key."""
    return said_by(token)[0] == KEY_ID


def _key_id(token: str) -> str:
    """Return which key a token says it is signed with; the library would read all of it twice."""
    return _said(token.partition(".")[0], "kid")


def _said(part: str, name: str) -> str:
    said = orjson.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return str(said.get(name, "")) if isinstance(said, dict) else ""


def _registered(token: str, kid: str, directory: Directory, now: float) -> Identity | None:
    tenant, body = directory.jwt_keys.get(kid, ("", None))
    secret = directory.token_secret(kid) if body else None
    if body is None or secret is None or seconds(body.valid_until) <= now:
        return None
    key = _Key(secret, body.algorithm, body.audience, body.issuer)
    name, own_end = _claims(token, key, now)
    device = directory.device(tenant, name)
    if device is None or (body.product and split_full_name(name)[0] != body.product):
        return None
    durability = device.durability or "industrial"
    end = min(own_end, seconds(body.valid_until))
    return Identity(tenant, name, f"jwt_key/{kid}", end, durability, own_end, key_digest(body))


@lru_cache(maxsize=256)
def key_digest(body: JwtKeyBody) -> str:
    """Return the digest of all that a key's tokens are held against, but for its end."""
    return sha256(msgspec.json.encode(replace(body, valid_until=None))).hexdigest()


def _local(
    token: str, directory: Directory, local_key: LocalKey | None, now: float
) -> Identity | None:
    if local_key is None:
        return None
    name, expires_at = _claims(token, _Key(local_key, ALGORITHM, AUDIENCE, ISSUER), now)
    durability = directory.durability("default", name)
    return Identity("default", name, f"local/{KEY_ID}", expires_at, durability)


def _claims(token: str, key: _Key, now: float) -> tuple[str, float]:
    """Return subject and expiry, or raise; a token lives for at most a day."""
    claims = jwt.decode(
        token,
        key.secret,
        algorithms=[key.algorithm],
        audience=key.audience,
        issuer=key.issuer,
        options={
            "require": ["exp", "aud", "iss", "sub"],
            "verify_exp": False,
            "verify_iat": False,
            "verify_nbf": False,
        },
    )
    expires_at, begins = _moment(claims["exp"]), _moment(claims.get("iat", now))
    # No leeway in what a token says of itself, nor at its end: what ends a session at that time
    # must not let the next one begin. One that does not say since when it is ends within a day.
    if expires_at <= now or expires_at - begins > LONGEST_LIFE_S:
        raise jwt.InvalidTokenError("expired, or made out for more than a day")
    if begins > now + LEEWAY_S or _moment(claims.get("nbf", 0)) > now + LEEWAY_S:
        raise jwt.InvalidTokenError("not valid yet")
    return check_name(cast(str, claims["sub"])), expires_at


def _moment(said: object) -> float:
    """Return a NumericDate (RFC 7519, 2), or raise: NaN is neither before nor after any other."""
    if isinstance(said, bool) or not isinstance(said, int | float) or not isfinite(said):
        raise jwt.InvalidTokenError(f"{said!r} is no time")
    return float(said)
