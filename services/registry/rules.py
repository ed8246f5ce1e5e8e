"""Rules in the store: every declaration is a version, and a rule is on or off."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from sqlalchemy import select

from services.problems import not_found
from services.registry.products import has_product
from services.registry.store import Entry, Reading, Writing
from services.registry.tables import CHANGES, KIND_TABLES
from telemetry.changes import ChangeKey, ProductBody, RuleBody, decode_change
from telemetry.rules.fitting import check_fits
from telemetry.rules.form import rule_to_dict
from telemetry.rules.rule import Rule, VersionedRule, succeeding


@dataclass(frozen=True, slots=True)
class Past:
    """What a rule was from a moment on."""

    body: RuleBody
    edition: int
    changed_at: datetime
    actor: str
    action: str


def listed(reading: Reading, tenant: str) -> Sequence[Entry]:
    """Return a tenant's rules."""
    return reading.entries("rule", KIND_TABLES["rule"].c.tenant == tenant)


def the_rule(reading: Reading, tenant: str, name: str) -> Entry:
    """Return a rule, or answer that it is not there."""
    found = reading.get("rule", tenant, name)
    if found is None:
        raise not_found("rule", name)
    return found


def put(writing: Writing, rule: Rule, is_on: bool | None) -> Entry:
    """Put a rule in force as its next version; `is_on` None leaves it on or off.

    A rule whose product or metrics are not there is refused.
    """
    if writing.get("tenant", rule.tenant, rule.tenant) is None:
        raise not_found("tenant", rule.tenant)
    if rule.scope.product and not has_product(writing, rule.tenant, rule.scope.product):
        raise not_found("product", rule.scope.product)
    if rule.scope.product and (known := writing.get("product", rule.tenant, rule.scope.product)):
        assert isinstance(known.body, ProductBody)
        check_fits(rule, known.body.product())
    _keep(writing, succeeding(_kept(writing, rule), rule, is_on))
    return the_rule(writing, rule.tenant, rule.name)


def take(writing: Writing, given: VersionedRule) -> None:
    """Take a rule as somebody else kept it; a known one goes on counting its versions."""
    before = _kept(writing, given.rule)
    _keep(writing, succeeding(before, given.rule, given.is_on) if before else given)


def switch(writing: Writing, tenant: str, name: str, is_on: bool) -> Entry:
    """Switch a rule on or off."""
    found = the_rule(writing, tenant, name).body
    assert isinstance(found, RuleBody)
    if found.is_on != is_on:
        writing.put(tenant, name, replace(found, is_on=is_on), "on" if is_on else "off")
    return the_rule(writing, tenant, name)


def history(reading: Reading, tenant: str, name: str) -> list[Past]:
    """Return what a rule was, the newest first."""
    mine = (CHANGES.c.tenant == tenant, CHANGES.c.kind == "rule", CHANGES.c.name == name)
    query = select(CHANGES).where(*mine).order_by(CHANGES.c.edition.desc())
    found = []
    for row in reading.connection.execute(query).mappings():
        key = ChangeKey("rule", tenant, name).encoded()
        change = decode_change(key, cast(bytes, row["value"]))
        assert change is not None
        assert isinstance(change.body, RuleBody)
        found.append(Past(change.body, change.edition, row["at"], row["actor"], row["action"]))
    return found


def _kept(reading: Reading, rule: Rule) -> VersionedRule | None:
    found = reading.get("rule", rule.tenant, rule.name)
    if found is None:
        return None
    assert isinstance(found.body, RuleBody)
    return found.body.kept()


def _keep(writing: Writing, kept: VersionedRule) -> None:
    """Write what has changed, and say in the audit trail what that was."""
    name, tenant = kept.rule.name, kept.rule.tenant
    body = RuleBody(rule_to_dict(kept.rule), kept.version, kept.is_on)
    known = writing.get("rule", tenant, name)
    if known is None:
        writing.put(tenant, name, body, "add")
    elif known.body != body:
        assert isinstance(known.body, RuleBody)
        is_switch = known.body.version == body.version
        writing.put(tenant, name, body, ("on" if body.is_on else "off") if is_switch else "change")
