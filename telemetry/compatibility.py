"""Whether a new version of a schema leaves old messages, tables and readers as they were.

A version is a set of messages. BACKWARD: the new version takes every message of the old one.
FORWARD: the old version takes every message of the new one. FULL: both. Transitive: against every
earlier version, else against the one before. In every mode a metric keeps its unit, its kind and
the column of its values, since stored rows and running queries know no versions.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from telemetry.products import Compatibility, Metric, Product, SchemaVersion
from telemetry.schema_check import broken_rule

Rule = Literal[
    "unit", "kind", "type", "range", "values", "sentinels", "required", "unknown_metric",
    "changed", "missing", "order",
]  # fmt: skip


class Break(NamedTuple):
    """What a new version may not do."""

    version: int
    against: int
    metric: str
    rule: Rule
    reason: str

    def __str__(self) -> str:
        named = f", metric {self.metric}" if self.metric else ""
        return f"version {self.version}{named}: {self.reason} (against version {self.against})"


def evolution_breaks(before: Product | None, after: Product) -> list[Break]:
    """Return why a product may not take the place of what it was; none if it may."""
    known = {version.version: version for version in before.versions} if before else {}
    found = [*_lost(known, after)]
    versions = sorted(after.versions, key=lambda version: version.version)
    for number, version in enumerate(versions):
        if version.version not in known:
            found += version_breaks(version, versions[:number], after.compatibility)
    return found


def _lost(known: dict[int, SchemaVersion], after: Product) -> Iterator[Break]:
    """Yield known versions that are gone or changed, and new ones that come before them."""
    there = {version.version: version for version in after.versions}
    for number, version in known.items():
        if number not in there:
            yield Break(number, number, "", "missing", "a version that was there must stay")
        elif there[number] != version:
            reason = "a version stays as it is: add one with the next number"
            yield Break(number, number, "", "changed", reason)
    newest = max(known, default=0)
    for number in there:
        if number not in known and number < newest:
            yield Break(number, newest, "", "order", f"a new version's number is above {newest}")


def version_breaks(
    new: SchemaVersion, earlier: list[SchemaVersion], mode: Compatibility
) -> list[Break]:
    """Return what a new version breaks; `earlier` by their numbers."""
    found: list[Break] = []
    for old in earlier:
        found += _stored(new, old)
    held_to = earlier if mode.endswith("_TRANSITIVE") else earlier[-1:]
    for old in held_to:
        if mode.startswith(("BACKWARD", "FULL")):
            found += [Break(new.version, old.version, *why) for why in unreadable(new, old)]
        if mode.startswith(("FORWARD", "FULL")):
            found += [Break(new.version, old.version, *why) for why in unreadable(old, new)]
    return list(dict.fromkeys(found))


def _stored(new: SchemaVersion, old: SchemaVersion) -> Iterator[Break]:
    for name, metric in new.metrics.items():
        was = old.metrics.get(name)
        if was is None:
            continue
        for rule, is_now, before in (
            ("unit", metric.unit, was.unit),
            ("kind", metric.kind, was.kind),
            ("type", _column(metric), _column(was)),
        ):
            if is_now != before:
                reason = f"{rule} was {before} and cannot become {is_now}: name a new metric"
                yield Break(new.version, old.version, name, rule, reason)  # type: ignore[arg-type]


def _column(metric: Metric) -> str:
    return "number" if metric.type in ("double", "int") else metric.type


def unreadable(reader: SchemaVersion, writer: SchemaVersion) -> list[tuple[str, Rule, str]]:
    """Return why the reader may refuse a message that the writer takes; none if it never does."""
    who = f"version {reader.version}"
    found: list[tuple[str, Rule, str]] = []
    for name, metric in writer.metrics.items():
        known = reader.metrics.get(name)
        if known is None:
            found.append((name, "unknown_metric", f"{who} does not know it"))
        else:
            found += [(name, rule, f"{who} {reason}") for rule, reason in _narrower(known, metric)]
    for name, metric in reader.metrics.items():
        if metric.required and not (name in writer.metrics and writer.metrics[name].required):
            found.append((name, "required", f"{who} requires it"))
    return found


def _narrower(reader: Metric, writer: Metric) -> Iterator[tuple[Rule, str]]:
    """Yield how the reader's values are fewer than the writer's."""
    if _column(reader) != _column(writer):
        yield "type", f"takes a {reader.type}, not a {writer.type}"
        return
    if reader.type == "int" and writer.type == "double":
        yield "type", "takes whole numbers alone"
    low = reader.min is not None and (writer.min is None or writer.min < reader.min)
    high = reader.max is not None and (writer.max is None or writer.max > reader.max)
    if low or high:
        yield "range", f"takes {_shown(reader)} alone, not {_shown(writer)}"
    if reader.values and not (writer.values and set(writer.values) <= _words(reader)):
        yield "values", f"takes {', '.join(reader.values)} alone"
    if refused := [value for value in writer.sentinels if broken_rule(reader, value)]:
        yield "sentinels", f"refuses the sentinel {refused[0]}"
    ordinary = [value for value in reader.sentinels if value not in writer.sentinels]
    if hidden := [value for value in ordinary if broken_rule(writer, value) is None]:
        yield "sentinels", f"takes the reading {hidden[0]} for a sentinel"
    marked = [value for value in writer.sentinels if value not in reader.sentinels]
    if counted := [value for value in marked if broken_rule(reader, value) is None]:
        yield "sentinels", f"takes the sentinel {counted[0]} for a reading"


def _words(metric: Metric) -> set[float | str]:
    return {*metric.values, *metric.sentinels}


def _shown(metric: Metric) -> str:
    low = "" if metric.min is None else f"{metric.min:g}"
    return f"{low} … {'' if metric.max is None else f'{metric.max:g}'}".strip()
