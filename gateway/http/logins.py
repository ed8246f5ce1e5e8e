"""Logins over HTTP: `Authorization` as Bearer or Basic, remembered for a short while."""

import base64
import binascii
from collections import OrderedDict
from math import inf

from gateway.entrance import Entrance
from gateway.identity import Identity, Presented
from gateway.outcome import Rejected
from gateway.standing import standing

PROTOCOL = "http"
REMEMBERED_S = 60.0
MOST_REMEMBERED = 50_000
CHALLENGE = 'Bearer realm="headwater", Basic realm="headwater"'
MISSING = Rejected("not_authenticated", "no Authorization: send Bearer {token}, or Basic")


class Logins:
    """Checks each request; a login that held is believed for a minute, as the registry has it."""

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance
        self._known: OrderedDict[tuple[str, str, str, bool], tuple[float, Identity]] = OrderedDict()

    def identity(
        self,
        authorization: str | None,
        client_id: str | None,
        address: str,
        *,
        is_tls: bool,
        now: float,
    ) -> Identity | Rejected:
        """Return who sends a request."""
        if not authorization:
            return MISSING
        key = (authorization, client_id or "", address, is_tls)
        known = self._known.get(key)
        if known is not None and now - known[0] < REMEMBERED_S:
            identity = standing(known[1], self._entrance.directory)
            if identity is not None and (identity.expires_at or inf) > now:
                return identity
        self._known.pop(key, None)
        presented = _presented(authorization, client_id, address, is_tls)
        if presented is None:
            return MISSING
        found = self._entrance.login(presented, protocol=PROTOCOL, now=now)
        if isinstance(found, Identity):
            self._known[key] = (now, found)
            if len(self._known) > MOST_REMEMBERED:
                self._known.popitem(last=False)
        return found


def _presented(
    authorization: str, client_id: str | None, address: str, is_tls: bool
) -> Presented | None:
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return Presented("", None, rest.strip(), None, address, is_tls)
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(rest.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    username, colon, password = text.partition(":")
    if not colon:
        return None
    return Presented(client_id or username, username, password, None, address, is_tls)
