"""Rules: what is watched, in versions, on or off."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from services.registry import rules
from services.registry.served import Access, Operator, Viewer
from services.registry.store import Entry
from services.registry.words import Name, Words
from telemetry.alerts import Severity
from telemetry.changes import RuleBody
from telemetry.rules.form import KIND_NAMES, rule_from_dict
from telemetry.rules.lanes import Lane

router = APIRouter(prefix="/v1/rules", tags=["rules"])
On = Annotated[bool | None, Query(description="Switch it on or off too; left out: as it is.")]


class ScopeIn(BaseModel):
    """Whose readings are watched; what is not named may be any."""

    model_config = ConfigDict(extra="forbid")

    product: Words | None = None
    zone: Words | None = None
    device: Words | None = None


class RuleIn(BaseModel):
    """A rule's declaration; `docs/rules.md` says what each check takes."""

    model_config = ConfigDict(extra="forbid")

    check: dict[str, object] = Field(
        description=f"Its kind ({KIND_NAMES}) and that kind's own fields.",
        examples=[{"kind": "threshold", "bound": 90.0}],
    )
    metric: Words | None = Field(default=None, description="stands for `metrics` of one")
    metrics: list[Words] | None = None
    scope: ScopeIn | None = None
    severity: Severity = "warning"
    least_deviation: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    hysteresis: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    persistence: dict[Literal["k", "n"], int] | None = Field(
        default=None, examples=[{"k": 3, "n": 5}]
    )
    learning: dict[str, object] | None = Field(
        default=None, examples=[{"readings": 200, "span": "14 d"}]
    )
    schedule: dict[str, object] | None = Field(
        default=None, examples=[{"days": ["mon", "tue"], "from": "08:00", "to": "18:00"}]
    )
    timezone: Words | None = Field(default=None, examples=["Europe/Berlin"])
    connected_within: Words | None = Field(default=None, examples=["10 min"])
    lane: Lane = "scoring"
    note: str | None = None


class RuleOut(BaseModel):
    """A rule as it is kept."""

    rule: str
    tenant: str
    version: int
    is_on: bool
    edition: int
    changed_at: datetime
    declaration: dict[str, object]


class PastOut(BaseModel):
    """What a rule was from a moment on, and who made it so."""

    version: int
    is_on: bool
    edition: int
    changed_at: datetime
    actor: str
    action: str
    declaration: dict[str, object]


@router.get("")
def list_rules(access: Viewer) -> list[RuleOut]:
    """List the tenant's rules."""
    with access.registry.store.reading() as reading:
        return [_out(one) for one in rules.listed(reading, access.tenant)]


@router.get("/{rule}")
def show_rule(rule: Name, access: Viewer) -> RuleOut:
    """Show one rule in its newest version."""
    return _out(access.entry("rule", rule))


@router.get("/{rule}/versions")
def show_history(rule: Name, access: Viewer) -> list[PastOut]:
    """Show all that the rule was, the newest first."""
    with access.registry.store.reading() as reading:
        rules.the_rule(reading, access.tenant, rule)
        return [
            PastOut(
                version=past.body.version,
                is_on=past.body.is_on,
                edition=past.edition,
                changed_at=past.changed_at,
                actor=past.actor,
                action=past.action,
                declaration=past.body.declaration,
            )
            for past in rules.history(reading, access.tenant, rule)
        ]


@router.put("/{rule}")
def put_rule(rule: Name, wanted: RuleIn, access: Operator, on: On = None) -> RuleOut:
    """Add a rule, off unless `on` says otherwise, or put its next version in force."""
    said = wanted.model_dump(exclude_none=True, exclude_unset=True)
    declared = rule_from_dict({"rule": rule, "tenant": access.tenant, **said})
    with access.writing() as writing:
        found = _out(rules.put(writing, declared, on))
    access.registry.wake()
    return found


@router.post("/{rule}/on")
def switch_on(rule: Name, access: Operator) -> RuleOut:
    """Let the rule judge what comes from now on."""
    return _switched(access, rule, True)


@router.post("/{rule}/off")
def switch_off(rule: Name, access: Operator) -> RuleOut:
    """Let the rule judge no more; it stays, with its versions."""
    return _switched(access, rule, False)


def _switched(access: Access, rule: str, is_on: bool) -> RuleOut:
    with access.writing() as writing:
        found = _out(rules.switch(writing, access.tenant, rule, is_on))
    access.registry.wake()
    return found


def _out(found: Entry) -> RuleOut:
    assert isinstance(found.body, RuleBody)
    return RuleOut(
        rule=found.key.name,
        tenant=found.key.tenant,
        version=found.body.version,
        is_on=found.body.is_on,
        edition=found.edition,
        changed_at=found.changed_at,
        declaration=found.body.declaration,
    )
