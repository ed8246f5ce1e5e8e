"""API keys: made, shown once, kept as a digest, and looked up."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from edge.key_file import write_secret
from services.callers import PREFIX, Caller, caller_of, digest, key_id_of
from services.registry.store import Store, Writing
from telemetry.changes import ALL_TENANTS, ApiKeyBody, Role
from telemetry.errors import HeadwaterError


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


def caller(store: Store, text: str, now: datetime) -> Caller | None:
    """Return whose key a text is; None if it is none, revoked or over."""
    key_id = key_id_of(text)
    if key_id is None:
        return None
    with store.reading() as reading:
        found = reading.by_name("api_key", key_id)
    if found is None or not isinstance(found.body, ApiKeyBody):
        return None
    return caller_of(text, found.key.tenant, found.body, now)


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
