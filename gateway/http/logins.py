"""Logins over HTTP: `Authorization` as Bearer or Basic, or the connection's certificate.

What held is remembered for a short while.
"""

import base64
import binascii
from collections import OrderedDict
from hashlib import sha256
from math import inf
from typing import NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.entrance import Entrance
from gateway.identity import Identity, Presented
from gateway.outcome import Rejected
from gateway.standing import standing
from gateway.tokens import is_token
from telemetry.credentials import is_signed

PROTOCOL = "http"
REMEMBERED_S = 60.0
MOST_REMEMBERED = 50_000
CHALLENGE = 'Bearer realm="headwater", Basic realm="headwater"'
MISSING = Rejected(
    "not_authenticated", "no Authorization: send Bearer {token}, Basic, or a client certificate"
)
CERTIFICATE = "headwater.certificate"


class Sender(NamedTuple):
    """The other end of a request's connection."""

    address: str
    is_tls: bool = False
    certificate: bytes | None = None
    """DER, as the handshake verified it."""


class Certified:
    """An application whose requests come by a connection that showed this certificate, as DER."""

    def __init__(self, app: ASGIApp, certificate: bytes) -> None:
        self._app = app
        self._certificate = certificate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        await self._app({**scope, CERTIFICATE: self._certificate}, receive, send)


class Logins:
    """Checks each request; a login that held is believed for a minute, as the registry has it."""

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance
        self._known: OrderedDict[tuple[bytes, Sender], tuple[float, Identity]] = OrderedDict()

    def identity(
        self,
        authorization: str | None,
        client_id: str | None,
        sender: Sender,
        *,
        now: float,
    ) -> Identity | Rejected:
        """Return who sends a request; what it says of itself goes before its certificate."""
        # A digest: what is shown may be as long as a request's head, in as many ways as one likes.
        shown = f"{authorization or ''}\0{client_id or ''}"
        key = (sha256(shown.encode("utf-8", "surrogatepass")).digest(), sender)
        known = self._known.get(key)
        if known is not None and now - known[0] < REMEMBERED_S:
            identity = standing(known[1], self._entrance.directory)
            if identity is not None and (identity.expires_at or inf) > now:
                return identity
        self._known.pop(key, None)
        presented = _presented(authorization or "", client_id, sender)
        if presented is None:
            return MISSING
        found = self._entrance.login(presented, protocol=PROTOCOL, now=now)
        if isinstance(found, Identity):
            self._known[key] = (now, found)
            if len(self._known) > MOST_REMEMBERED:
                self._known.popitem(last=False)
        return found


def _presented(authorization: str, client_id: str | None, sender: Sender) -> Presented | None:
    address, is_tls, certificate = sender
    if not authorization:
        if certificate is None:
            return None
        return Presented(certificate=certificate, address=address, is_tls=is_tls)
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return Presented("", None, rest.strip(), None, address, is_tls)
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(rest.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    username, colon, password = _cut(text, client_id or "")
    if not colon:
        return None
    return Presented(client_id or username, username, password, None, address, is_tls)


def _cut(text: str, client_id: str) -> tuple[str, str, str]:
    """Return user name, colon and password.

    By RFC 7617 a name ends at the first colon. One of ours may have some, as a MAC address has, but
    no signature and no token does.
    """
    longest = text.rpartition(":")
    is_made = is_signed(client_id) or is_token(longest[2]) or not longest[2]
    return longest if is_made else text.partition(":")
