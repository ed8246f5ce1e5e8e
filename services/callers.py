"""Who asks a service: API keys in the form that the registry makes, and what they may do."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from telemetry.changes import ALL_TENANTS, ApiKeyBody, Role

PREFIX = "hw_"
RANKS: dict[Role, int] = {"viewer": 0, "operator": 1, "admin": 2}


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose key a request carries."""

    key_id: str
    tenant: str
    role: Role

    @property
    def actor(self) -> str:
        """Name in the audit trail."""
        return f"key:{self.key_id}"

    def may_see(self, tenant: str) -> bool:
        """Say whether the tenant is the caller's."""
        return self.tenant in (ALL_TENANTS, tenant)

    def may(self, role: Role, tenant: str) -> bool:
        """Say whether the caller may act as the role for the tenant."""
        return self.may_see(tenant) and RANKS[self.role] >= RANKS[role]


def digest(text: str) -> str:
    """Return what is kept of a key; it is long and random, so it needs no salt."""
    return hashlib.sha256(text.encode()).hexdigest()


def key_id_of(text: str) -> str | None:
    """Return the id that stands in a key's text, None if it is not a key's."""
    head, dot, _ = text.partition(".")
    return head.removeprefix(PREFIX) if dot and head.startswith(PREFIX) else None


def caller_of(text: str, tenant: str, body: ApiKeyBody, now: datetime) -> Caller | None:
    """Return whose key a text is, None unless it is this one and in force."""
    key_id = key_id_of(text)
    is_over = body.valid_until is not None and body.valid_until <= now
    if key_id is None or is_over or not secrets.compare_digest(body.sha256, digest(text)):
        return None
    return Caller(key_id, tenant, body.role)
