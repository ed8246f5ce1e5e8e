"""Who may ask: API keys and keys of tokens, as the registry's changes or this home's file say."""

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from pathlib import Path

import jwt

from edge.key_file import write_secret
from services.callers import PREFIX, Caller, caller_of, digest, key_id_of
from services.problems import not_believed, wait
from telemetry.changes import ALL_TENANTS, ApiKeyBody, Change, JwtKeyBody, TenantBody
from telemetry.errors import HeadwaterError
from telemetry.sealing import KeyRing, unseal

LEEWAY_S = 30
MOST_S = 1e12
"""Seconds since 1970: a time beyond is none."""


class Directory:
    """API keys, keys of tokens and disabled tenants; changes come in any order of keys."""

    def __init__(self, ring: KeyRing | None = None, scope: str = "query") -> None:
        """`scope` is what a token's claim of that name must name: a device's token names none."""
        self._ring = ring
        self._scope = scope
        self._api_keys: dict[str, tuple[str, ApiKeyBody]] = {}
        self._jwt_keys: dict[str, tuple[str, JwtKeyBody]] = {}
        self._disabled: set[str] = set()
        self._editions: dict[bytes, int] = {}
        self.is_read: Callable[[], bool] = lambda: True
        """Says whether all that the registry had said by the start has been taken over."""

    def apply(self, change: Change) -> None:
        """Take over a change that is newer than what is known."""
        key, (kind, tenant, name), body = change.key.encoded(), change.key, change.body
        if change.edition <= self._editions.get(key, -1):
            return
        if kind == "api_key":
            self._editions[key] = change.edition
            self._api_keys.pop(name, None)
            if isinstance(body, ApiKeyBody):
                self._api_keys[name] = (tenant, body)
        elif kind == "jwt_key":
            self._editions[key] = change.edition
            self._jwt_keys.pop(name, None)
            if isinstance(body, JwtKeyBody):
                self._jwt_keys[name] = (tenant, body)
        elif kind == "tenant":
            self._editions[key] = change.edition
            self._disabled.discard(tenant)
            if body is None or (isinstance(body, TenantBody) and body.is_disabled):
                self._disabled.add(tenant)

    def add_local_key(self, text: str) -> None:
        """Let a key of this home in; it reads every tenant."""
        key_id = key_id_of(text)
        if key_id is None:
            raise HeadwaterError("the query service's key file holds no key: remove it")
        body = ApiKeyBody(digest(text), "viewer", "of this home")
        self._api_keys[key_id] = (ALL_TENANTS, body)

    def known(self, text: str, now: datetime) -> Caller:
        """Return who presents a key or a token; raise what may be wrong with it.

        While the registry is still being read nobody knows: a key may be revoked by what follows.
        """
        if text and not self.is_read():
            raise wait(HTTPStatus.SERVICE_UNAVAILABLE, "the registry's keys are being read", 1.0)
        if (found := self.caller(text, now)) is None:
            raise not_believed(text, self._scope)
        return found

    def caller(self, text: str, now: datetime) -> Caller | None:
        """Return who presents a key or a token; None unless it holds in every point."""
        found = self._by_key(text, now) if text.startswith(PREFIX) else self._by_token(text, now)
        return None if found is None or found.tenant in self._disabled else found

    def _by_key(self, text: str, now: datetime) -> Caller | None:
        tenant, body = self._api_keys.get(key_id_of(text) or "", ("", None))
        return caller_of(text, tenant, body, now) if body else None

    def _by_token(self, text: str, now: datetime) -> Caller | None:
        try:
            kid = str(jwt.get_unverified_header(text).get("kid", ""))
            tenant, body = self._jwt_keys.get(kid, ("", None))
            if body is None or not self._signs_for_people(body, now):
                return None
            claims = self._checked(text, kid, tenant, body, now)
            return Caller(_token_id(kid, claims.get("sub")), tenant, "viewer")
        except (jwt.InvalidTokenError, HeadwaterError, ValueError, TypeError):
            return None

    def _signs_for_people(self, body: JwtKeyBody, now: datetime) -> bool:
        """Say whether a key is in force, and not of one product's devices alone."""
        return body.product is None and not (body.valid_until and body.valid_until <= now)

    def _checked(
        self, text: str, kid: str, tenant: str, body: JwtKeyBody, now: datetime
    ) -> Mapping[str, object]:
        """Return the claims; raise unless signature, issuer, audience, times and scope hold."""
        claims: Mapping[str, object] = jwt.decode(
            text,
            self._secret(kid, tenant, body),
            algorithms=[body.algorithm],
            audience=body.audience,
            issuer=body.issuer,
            options={
                "require": ["exp", "aud", "iss"],
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )
        at = now.timestamp()
        if _moment(claims["exp"]) < at - LEEWAY_S or _moment(claims.get("nbf", 0)) > at + LEEWAY_S:
            raise jwt.ExpiredSignatureError("expired, or not valid yet")
        if self._scope not in str(claims.get("scope", "")).split():
            raise jwt.InvalidTokenError(f"its scope does not name {self._scope}")
        return claims

    def _secret(self, kid: str, tenant: str, body: JwtKeyBody) -> bytes:
        if body.public_key:
            return body.public_key.encode()
        if body.secret is None or self._ring is None:
            raise HeadwaterError(f"the secret of {kid} cannot be opened here")
        return unseal(body.secret, self._ring, f"jwt_key/{tenant}/{kid}".encode())


def _token_id(kid: str, subject: object) -> str:
    """Return who presents a token: each subject of a key is a caller with limits of its own."""
    return f"jwt/{kid}" if subject is None else f"jwt/{kid}/{digest(str(subject))[:16]}"


def _moment(said: object) -> float:
    """Return a NumericDate (RFC 7519, 2), or raise: NaN is neither before nor after any other."""
    if isinstance(said, int | float) and not isinstance(said, bool) and -MOST_S < said < MOST_S:
        return float(said)
    raise jwt.InvalidTokenError("a time is none")


def local_key(path: Path) -> str:
    """Return this home's own key, made at the first start; its owner alone may read it."""
    try:
        if not path.exists():
            text = f"{PREFIX}{secrets.token_hex(6)}.{secrets.token_urlsafe(32)}"
            write_secret(path, text + "\n")
        if path.stat().st_mode & 0o077:
            raise HeadwaterError(f"{path} is open to others: chmod 600 {path}")
        return path.read_text("utf-8").strip()
    except OSError as error:
        raise HeadwaterError(f"{path} cannot be used: {error}") from error
