"""Idempotency keys: a request that came before gets the answer that it got, or will get."""

import asyncio
import hashlib
from collections import OrderedDict
from typing import NamedTuple

KEPT_S = 24 * 3600.0
MOST_KEPT = 100_000
LONGEST_KEY = 255


class Answer(NamedTuple):
    """A status and a body, with what the request's body hashed to."""

    digest: bytes
    status: int
    body: bytes
    at: float


Told = tuple[int, bytes, dict[str, str]]
"""Status, body and headers."""

Place = tuple[str, str, str]
"""Tenant, device and key."""


class Underway(NamedTuple):
    """A request that has no answer yet; None where it ended without one."""

    digest: bytes
    told: "asyncio.Future[Told | None]"


class Answers:
    """Remembers what was accepted, by device and key; bounded, the oldest go first."""

    def __init__(self) -> None:
        self._answers: OrderedDict[Place, Answer] = OrderedDict()
        self.underway: dict[Place, Underway] = {}
        """Requests that hold their key, so that the same one beside them publishes nothing."""

    def find(self, key: Place, *, now: float) -> Answer | None:
        """Return the answer of an earlier request."""
        found = self._answers.get(key)
        return found if found is not None and now - found.at < KEPT_S else None

    def keep(self, key: Place, answer: Answer) -> None:
        """Remember an answer."""
        self._answers[key] = answer
        self._answers.move_to_end(key)
        while len(self._answers) > MOST_KEPT:
            self._answers.popitem(last=False)


def digest(body: bytes) -> bytes:
    """Return what tells one body from another."""
    return hashlib.sha256(body).digest()
