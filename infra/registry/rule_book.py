"""Who knows the rules: the registry that runs, else the files of the home."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, cast

from edge.registry_files import RegistryFiles
from edge.rule_files import RuleFiles
from infra.close_names import unknown
from infra.registry.book import is_registry_there
from infra.service_client import Json, ServiceClient, open_registry
from telemetry.errors import RuleError
from telemetry.products import DEFAULT_PRODUCT
from telemetry.rules.fitting import check_fits
from telemetry.rules.form import rule_from_dict, rule_to_dict
from telemetry.rules.rule import Rule, VersionedRule, succeeding
from telemetry.settings import Settings


@dataclass(frozen=True, slots=True)
class PastRule:
    """What a rule was from a moment on; files know neither moment nor person."""

    kept: VersionedRule
    changed_at: datetime | None = None
    actor: str = ""
    action: str = ""


class RuleBook(Protocol):
    """Rules, wherever they are kept."""

    def rules(self, tenant: str) -> Mapping[str, VersionedRule]:
        """Return a tenant's rules by name."""

    def put(self, rule: Rule, is_on: bool | None) -> VersionedRule:
        """Put a rule in force as its next version; `is_on` None leaves it on or off."""

    def switch(self, tenant: str, name: str, is_on: bool) -> VersionedRule:
        """Switch a rule on or off."""

    def history(self, tenant: str, name: str) -> list[PastRule]:
        """Return what a rule was, the newest first."""


def open_rules(settings: Settings) -> RuleBook:
    """Return the registry if it runs, else the files."""
    if is_registry_there(settings):
        return HttpRules(open_registry(settings))
    return FileRules(settings.registry_dir)


def known_rule(book: RuleBook, name: str, tenant: str) -> VersionedRule:
    """Return a rule, or raise an error that names those that are near."""
    found = book.rules(tenant)
    if name not in found:
        raise RuleError(unknown("rule", name, found, "`headwater rules add FILE` adds one"))
    return found[name]


class FileRules:
    """The files, which a registry takes up when it starts; they hold the newest version alone."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files = RuleFiles(root)

    def rules(self, tenant: str) -> Mapping[str, VersionedRule]:
        """Return a tenant's rules by name."""
        found = self._files.rules().items()
        return {name: kept for (owner, name), kept in found if owner == tenant}

    def put(self, rule: Rule, is_on: bool | None) -> VersionedRule:
        """Put a rule in force as its next version; `is_on` None leaves it on or off."""
        self._check(rule)
        kept = succeeding(self.rules(rule.tenant).get(rule.name), rule, is_on)
        self._files.put(kept)
        return kept

    def _check(self, rule: Rule) -> None:
        named = rule.scope.product
        if named is None or named == DEFAULT_PRODUCT.key:
            return
        product = RegistryFiles(self._root).products().get((rule.tenant, named))
        if product is None:
            raise RuleError(f"rule {rule.name}: scope.product: there is no product {named!r}")
        check_fits(rule, product)

    def switch(self, tenant: str, name: str, is_on: bool) -> VersionedRule:
        """Switch a rule on or off."""
        before = self.rules(tenant)[name]
        kept = succeeding(before, before.rule, is_on)
        self._files.put(kept)
        return kept

    def history(self, tenant: str, name: str) -> list[PastRule]:
        """Return what a rule is."""
        return [PastRule(self.rules(tenant)[name])]


class HttpRules:
    """The registry over HTTP."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    def rules(self, tenant: str) -> Mapping[str, VersionedRule]:
        """Return a tenant's rules by name."""
        found = self._client.ask("GET", "/v1/rules", None, {"tenant": tenant})
        return {str(one["rule"]): _kept(one) for one in cast(list[Json], found)}

    def put(self, rule: Rule, is_on: bool | None) -> VersionedRule:
        """Put a rule in force as its next version; `is_on` None leaves it on or off."""
        said = {
            key: one for key, one in rule_to_dict(rule).items() if key not in ("rule", "tenant")
        }
        asked = {"tenant": rule.tenant, "on": is_on}
        return _kept(cast(Json, self._client.ask("PUT", f"/v1/rules/{rule.name}", said, asked)))

    def switch(self, tenant: str, name: str, is_on: bool) -> VersionedRule:
        """Switch a rule on or off."""
        path = f"/v1/rules/{name}/{'on' if is_on else 'off'}"
        return _kept(cast(Json, self._client.ask("POST", path, None, {"tenant": tenant})))

    def history(self, tenant: str, name: str) -> list[PastRule]:
        """Return what a rule was, the newest first."""
        found = self._client.ask("GET", f"/v1/rules/{name}/versions", None, {"tenant": tenant})
        return [
            PastRule(
                _kept(one),
                datetime.fromisoformat(str(one["changed_at"])),
                str(one["actor"]),
                str(one["action"]),
            )
            for one in cast(list[Json], found)
        ]


def _kept(one: Json) -> VersionedRule:
    rule = rule_from_dict(cast(Json, one["declaration"]))
    return VersionedRule(rule, cast(int, one["version"]), cast(bool, one["is_on"]))
