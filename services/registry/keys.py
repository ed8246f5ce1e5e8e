"""API keys: made, shown once, kept as a digest, and looked up."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from edge.key_file import write_secret
from services.registry.store import Store, Writing
from telemetry.changes import ALL_TENANTS, ApiKeyBody, Role
from telemetry.errors import HeadwaterError

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


@dataclass(frozen=True, slots=True)
class Issue:
    """What a new key may do, and until when."""

    tenant: str
    role: Role
    note: str = ""
    valid_until: datetime | None = None


def issue(writing: Writing, wanted: Issue) -> tuple[str, str]:
    """Make a key; return its id and its text, which nobody can ever read again."""
    key_id = secrets.token_hex(6)
    text = f"{PREFIX}{key_id}.{secrets.token_urlsafe(32)}"
    body = ApiKeyBody(digest(text), wanted.role, wanted.note, wanted.valid_until)
    writing.put(wanted.tenant, key_id, body, "issue")
    return key_id, text


def digest(text: str) -> str:
    """Return what is kept of a key; it is long and random, so it needs no salt."""
    return hashlib.sha256(text.encode()).hexdigest()


def caller(store: Store, text: str, now: datetime) -> Caller | None:
    """Return whose key a text is; None if it is none, revoked or over."""
    head, dot, _ = text.partition(".")
    if not dot or not head.startswith(PREFIX):
        return None
    key_id = head.removeprefix(PREFIX)
    with store.reading() as reading:
        found = reading.by_name("api_key", key_id)
    if found is None or not isinstance(found.body, ApiKeyBody):
        return None
    is_over = found.body.valid_until is not None and found.body.valid_until <= now
    if is_over or not secrets.compare_digest(found.body.sha256, digest(text)):
        return None
    return Caller(key_id, found.key.tenant, found.body.role)


def first_admin(store: Store, path: Path, now: datetime) -> None:
    """Make the key of the first admin unless there are keys, and keep it for its owner."""
    if store.count("api_key"):
        return
    with store.writing("first start", now) as writing:
        _, text = issue(writing, Issue(ALL_TENANTS, "admin", "made at the first start"))
        try:
            write_secret(path, text + "\n")
        except OSError as error:
            raise HeadwaterError(f"{path} cannot be written: {error}") from error
