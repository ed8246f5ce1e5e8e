"""The audit trail: every change, who made it and when."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from services.registry.served import Operator
from services.registry.tables import CHANGES
from services.registry.words import Words

router = APIRouter(prefix="/v1/audit", tags=["audit"])
SHOWN = ("edition", "at", "tenant", "kind", "name", "actor", "action")


class AuditFilters(BaseModel):
    """Which changes are wanted; `before` is an edition, to go on from a page's last."""

    model_config = ConfigDict(extra="forbid")

    tenant: Words | None = None
    kind: Words | None = None
    name: Words | None = None
    before: int | None = Field(default=None, ge=0, le=2**62)
    limit: int = Field(default=100, ge=1, le=1000)


class AuditOut(BaseModel):
    """One change."""

    edition: int
    at: datetime
    tenant: str
    kind: str
    name: str
    actor: str
    action: str


@router.get("")
def list_changes(filters: Annotated[AuditFilters, Query()], access: Operator) -> list[AuditOut]:
    """List the tenant's changes, the newest first.

    A key above the tenants is shown what happened to such keys (tenant `*`) as well.
    """
    seen = CHANGES.c.tenant.in_({access.tenant, access.caller.tenant})
    query = select(*(CHANGES.c[name] for name in SHOWN)).where(seen)
    for name in ("kind", "name"):
        if (value := getattr(filters, name)) is not None:
            query = query.where(CHANGES.c[name] == value)
    if filters.before is not None:
        query = query.where(CHANGES.c.edition < filters.before)
    newest = query.order_by(CHANGES.c.edition.desc()).limit(filters.limit)
    with access.registry.store.reading() as reading:
        found = reading.connection.execute(newest).mappings()
        return [AuditOut.model_validate(dict(row)) for row in found]
