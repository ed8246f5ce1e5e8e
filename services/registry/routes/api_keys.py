"""API keys of people and programs: admin, operator or viewer, in one tenant or above all."""

from datetime import datetime
from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from services.moments import SaidTime
from services.problems import Problem, conflict, not_found
from services.registry import keys
from services.registry.served import Admin, KnownCaller
from services.registry.store import Entry, Reading
from services.registry.tables import API_KEYS
from services.registry.words import Name, Words
from telemetry.changes import ALL_TENANTS, ApiKeyBody, ChangeKey, Role

router = APIRouter(prefix="/v1/api-keys", tags=["API keys"])


class ApiKeyIn(BaseModel):
    """What a key may do, and until when."""

    model_config = ConfigDict(extra="forbid")

    role: Role
    note: Words = ""
    valid_until: SaidTime | None = None


class NewApiKeyIn(ApiKeyIn):
    """A key to make."""

    every_tenant: bool = Field(
        default=False, description="a key above the tenants; only such an admin may make it"
    )


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
def issue_api_key(wanted: NewApiKeyIn, access: Admin) -> NewApiKeyOut:
    """Make a key of the tenant, or one above all tenants."""
    if wanted.every_tenant and access.caller.tenant != ALL_TENANTS:
        raise Problem(HTTPStatus.FORBIDDEN, "this needs an admin's key that is of no one tenant")
    tenant = ALL_TENANTS if wanted.every_tenant else access.tenant
    asked = keys.Issue(tenant, wanted.role, wanted.note, wanted.valid_until)
    with access.writing() as writing:
        if not wanted.every_tenant and writing.get("tenant", tenant, tenant) is None:
            raise not_found("tenant", tenant)
        key_id, text = keys.issue(writing, asked)
    access.registry.wake()
    return NewApiKeyOut(key_id=key_id, key=text)


@router.delete("/{key_id}")
def revoke_api_key(key_id: Name, access: Admin) -> dict[Literal["revoked"], str]:
    """Revoke a key for good; the last admin's above the tenants stays."""
    with access.writing() as writing:
        found = writing.by_name("api_key", key_id)
        if found is None or not _is_mine(found, access.tenant, access.caller.tenant):
            raise not_found("API key", key_id)
        if _is_last_admin(writing, found):
            raise conflict("no other admin's key is above the tenants for good: make one first")
        writing.revoke([ChangeKey("api_key", found.key.tenant, key_id)], "revoke")
    access.registry.wake()
    return {"revoked": key_id}


def _is_mine(found: Entry, tenant: str, callers_tenant: str) -> bool:
    return found.key.tenant == tenant or callers_tenant == ALL_TENANTS


def _is_last_admin(reading: Reading, found: Entry) -> bool:
    """Say whether nobody could manage the tenants without this key, today or once others end."""
    above = reading.entries("api_key", API_KEYS.c.tenant == ALL_TENANTS)
    admins = {one.key for one in above if _is_lasting_admin(one)}
    return admins == {found.key}


def _is_lasting_admin(found: Entry) -> bool:
    body = found.body
    assert isinstance(body, ApiKeyBody)
    return body.role == "admin" and body.valid_until is None


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
