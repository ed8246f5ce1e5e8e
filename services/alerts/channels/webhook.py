"""Webhooks: JSON by POST, signed with HMAC-SHA256 over time and body."""

import hashlib
import hmac
import time
from collections.abc import Callable
from datetime import timedelta

import httpx
import msgspec

from services.alerts.channels.sink import Outgoing
from services.alerts.outbox import Answer

SIGNATURE, TIMESTAMP, KEY = "Headwater-Signature", "Headwater-Timestamp", "Idempotency-Key"


class Webhook:
    """Posts messages to one address over connections that stay open."""

    def __init__(
        self,
        url: str,
        secret: bytes | None,
        timeout: timedelta,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._url = url
        self._secret = secret
        self._clock = clock
        self._http = httpx.Client(timeout=timeout.total_seconds(), follow_redirects=False)

    def send(self, message: Outgoing) -> Answer:
        """Post a message; only the status of the answer counts."""
        body = msgspec.json.encode({"key": message.key, **message.content})
        headers = {"Content-Type": "application/json", KEY: message.key, **self._signed(body)}
        try:
            with self._http.stream("POST", self._url, content=body, headers=headers) as answer:
                return Answer(answer.status_code, answer.reason_phrase, _retry_after(answer))
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            # The error's own words may hold the address, which may hold a secret.
            return Answer(None, type(error).__name__)

    def _signed(self, body: bytes) -> dict[str, str]:
        if self._secret is None:
            return {}
        at = str(int(self._clock()))
        return {TIMESTAMP: at, SIGNATURE: signature(self._secret, at, body)}

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """Return `v1=` and the hex of HMAC-SHA256 over `{timestamp}.{body}`."""
    signed = hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256)
    return f"v1={signed.hexdigest()}"


def _retry_after(answer: httpx.Response) -> timedelta | None:
    said = answer.headers.get("Retry-After", "")
    return timedelta(seconds=min(int(said), 86_400)) if said.isdecimal() else None
