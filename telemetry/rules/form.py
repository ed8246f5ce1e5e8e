"""Rules as JSON: read with errors that name field, rule and value, and written back equal."""

import re
from collections.abc import Mapping
from typing import cast

import msgspec

from telemetry.errors import RuleError
from telemetry.rules.checks import KINDS
from telemetry.rules.rule import Rule, VersionedRule

Json = Mapping[str, object]
_PLACE = re.compile(r" - at `\$\.?([^`]*)`$")
_FIELD = re.compile(r"^([a-z_]+): ")
_NAMED = re.compile(r"(?:missing required|unknown) field `([^`]*)`")
KIND_NAMES = ", ".join(str(kind.__struct_config__.tag) for kind in KINDS)
"""Of all checks, as people write them."""


def rule_from_dict(data: Json) -> Rule:
    """Read a rule's JSON form; raise `RuleError` that names the field, its rule and the value.

    `metric` may stand for `metrics` of one.
    """
    if not isinstance(data, Mapping):
        raise RuleError(f'a rule is an object, {{"rule": …}}, not {data!r}')
    name = data.get("rule")
    try:
        return msgspec.convert(_with_metrics(data), Rule)
    except (msgspec.ValidationError, ValueError) as error:
        said = _told(str(error), data)
        raise RuleError(f"rule {name}: {said}" if isinstance(name, str) else said) from None


def _with_metrics(data: Json) -> dict[str, object]:
    if "metric" not in data:
        return dict(data)
    if "metrics" in data:
        raise ValueError("metric: stands for `metrics` of one; give one of the two")
    rest = {name: value for name, value in data.items() if name != "metric"}
    return {**rest, "metrics": [data["metric"]]}


def _told(said: str, data: Json) -> str:
    """Return `field: what is asked of it, not value`."""
    place = _PLACE.search(said)
    outer = place[1] if place else ""
    said = _PLACE.sub("", said)
    if _FIELD.match(said):
        # One of our own, which names the field and the value itself.
        return f"{outer}.{said}" if outer else said
    if named := _NAMED.search(said):
        field = f"{outer}.{named[1]}" if outer else named[1]
        return f"{field}: is missing" if "missing" in said else f"{field}: no such field"
    if outer.endswith("kind"):
        said = f"must be one of {KIND_NAMES}"
    return f"{outer or 'rule'}: {said[0].lower()}{said[1:]}, not {_at(data, outer)!r}"


def _at(data: Json, place: str) -> object:
    """Return the value at a place such as `check.bound` or `metrics[0]`."""
    found: object = _with_metrics(data)
    for step in re.findall(r"[^.\[\]]+", place):
        if isinstance(found, Mapping):
            found = found.get(step)
        elif isinstance(found, list | tuple) and step.isdigit():
            found = found[int(step)]
    return found


def rule_to_dict(rule: Rule) -> dict[str, object]:
    """Return the JSON form that `rule_from_dict` reads back equal."""
    data = cast(dict[str, object], msgspec.to_builtins(rule))
    data["metrics"] = list(rule.metrics)
    if len(rule.metrics) == 1:
        data["metric"] = data.pop("metrics")[0]  # type: ignore[index]
    if not rule.metrics:
        del data["metrics"]
    return data


def versioned_from_dict(data: Json) -> VersionedRule:
    """Read a rule as it is kept: its declaration, with `version` and `is_on` beside it."""
    declared = {name: value for name, value in data.items() if name not in ("version", "is_on")}
    rule = rule_from_dict(declared)
    version, is_on = data.get("version", 1), data.get("is_on", False)
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise RuleError(
            f"rule {rule.name}: version: must be a whole number from 1, not {version!r}"
        )
    if not isinstance(is_on, bool):
        raise RuleError(f"rule {rule.name}: is_on: must be true or false, not {is_on!r}")
    return VersionedRule(rule, version, is_on)


def versioned_to_dict(kept: VersionedRule) -> dict[str, object]:
    """Return the form that `versioned_from_dict` reads back equal."""
    return {**rule_to_dict(kept.rule), "version": kept.version, "is_on": kept.is_on}
