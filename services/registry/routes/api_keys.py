"""API keys of people and programs: admin, operator or viewer, in one tenant or above all."""

from datetime import datetime
from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter
from pydantic import AwareDatetime, BaseModel, ConfigDict

from services.problems import not_found
from services.registry import keys
from services.registry.served import Admin, KnownCaller
from services.registry.store import Entry
from services.registry.tables import API_KEYS
from services.registry.words import Name, Words
from telemetry.changes import ALL_TENANTS, ApiKeyBody, ChangeKey, Role

router = APIRouter(prefix="/v1/api-keys", tags=["API keys"])


class ApiKeyIn(BaseModel):
    """What a key may do, and until when."""

    model_config = ConfigDict(extra="forbid")

    role: Role
    note: Words = ""
    valid_until: AwareDatetime | None = None


class ApiKeyOut(ApiKeyIn):
    """A key, without the key."""

    key_id: str
    tenant: str
    created_at: datetime


class NewApiKeyOut(BaseModel):
    """A new key; it is shown this once."""

    key_id: str
    key: str


class CallerOut(BaseModel):
    """Whose key this is."""

    key_id: str
    tenant: str
    role: Role


@router.get("/me")
def show_caller(who: KnownCaller) -> CallerOut:
    """Show what the key of this request may do."""
    return CallerOut(key_id=who.key_id, tenant=who.tenant, role=who.role)


@router.get("")
def list_api_keys(access: Admin) -> list[ApiKeyOut]:
    """List the tenant's keys, and those above all tenants if the caller's is one."""
    tenants = {access.tenant, access.caller.tenant}
    with access.registry.store.reading() as reading:
        return [_out(one) for one in reading.entries("api_key", API_KEYS.c.tenant.in_(tenants))]


@router.post("", status_code=HTTPStatus.CREATED)
def issue_api_key(wanted: ApiKeyIn, access: Admin) -> NewApiKeyOut:
    """Make a key of the tenant."""
    asked = keys.Issue(access.tenant, wanted.role, wanted.note, wanted.valid_until)
    with access.writing() as writing:
        key_id, text = keys.issue(writing, asked)
    access.registry.wake()
    return NewApiKeyOut(key_id=key_id, key=text)


@router.delete("/{key_id}")
def revoke_api_key(key_id: Name, access: Admin) -> dict[Literal["revoked"], str]:
    """Revoke a key for good."""
    with access.writing() as writing:
        found = writing.by_name("api_key", key_id)
        if found is None or not _is_mine(found, access.tenant, access.caller.tenant):
            raise not_found("API key", key_id)
        writing.revoke([ChangeKey("api_key", found.key.tenant, key_id)], "revoke")
    access.registry.wake()
    return {"revoked": key_id}


def _is_mine(found: Entry, tenant: str, callers_tenant: str) -> bool:
    return found.key.tenant == tenant or callers_tenant == ALL_TENANTS


def _out(found: Entry) -> ApiKeyOut:
    assert isinstance(found.body, ApiKeyBody)
    return ApiKeyOut(
        key_id=found.key.name,
        tenant=found.key.tenant,
        created_at=found.created_at,
        role=found.body.role,
        note=found.body.note,
        valid_until=found.body.valid_until,
    )
