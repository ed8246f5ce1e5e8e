"""Tenants: who owns devices, and how a gateway locks out who guesses."""

from datetime import datetime
from http import HTTPStatus

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from services.problems import Problem, not_found
from services.registry.served import InstallationAdmin, KnownCaller, Served
from services.registry.store import Entry
from services.registry.words import Name
from telemetry.changes import TenantBody

router = APIRouter(prefix="/v1/tenants", tags=["tenants"])


class TenantIn(BaseModel):
    """What may be said of a tenant."""

    model_config = ConfigDict(extra="forbid")

    is_disabled: bool = Field(default=False, description="none of its devices may connect")
    lockout_failures: int = Field(default=10, ge=1, le=1_000_000)
    lockout_within_s: int = Field(default=60, ge=1, le=86_400)
    lockout_for_s: int = Field(default=300, ge=1, le=86_400)


class TenantOut(TenantIn):
    """A tenant."""

    tenant: str
    edition: int
    changed_at: datetime


@router.get("")
def list_tenants(served: Served, who: KnownCaller) -> list[TenantOut]:
    """List the tenants that the key may see."""
    with served.store.reading() as reading:
        return [_out(one) for one in reading.entries("tenant") if who.may_see(one.key.tenant)]


@router.get("/{tenant}")
def show_tenant(tenant: Name, served: Served, who: KnownCaller) -> TenantOut:
    """Show one tenant."""
    if not who.may_see(tenant):
        raise Problem(HTTPStatus.FORBIDDEN, f"this key is not of tenant {tenant}")
    with served.store.reading() as reading:
        found = reading.get("tenant", tenant, tenant)
    if found is None:
        raise not_found("tenant", tenant)
    return _out(found)


@router.put("/{tenant}")
def put_tenant(tenant: Name, wanted: TenantIn, access: InstallationAdmin) -> TenantOut:
    """Make a tenant, or change it."""
    body = TenantBody(**wanted.model_dump())
    with access.writing() as writing:
        known = writing.get("tenant", tenant, tenant)
        if known is None or known.body != body:
            writing.put(tenant, tenant, body, "change" if known else "add")
        found = writing.get("tenant", tenant, tenant)
        assert found is not None
        out = _out(found)
    access.registry.wake()
    return out


def _out(found: Entry) -> TenantOut:
    assert isinstance(found.body, TenantBody)
    fields = {name: getattr(found.body, name) for name in TenantIn.model_fields}
    return TenantOut(
        tenant=found.key.name, edition=found.edition, changed_at=found.changed_at, **fields
    )
