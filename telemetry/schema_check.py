"""A message's metrics held against its product's schema."""

from collections import Counter
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

from telemetry.message import MOST_REASONS, Reason, shown
from telemetry.products import Metric, Product, SchemaVersion

MOST_INT = 2**53
"""Of an int: beyond it a double, as which values are kept, is another number for some."""


class Reading(NamedTuple):
    """One metric's value; exactly one of the values is set, none for a sentinel."""

    metric: str
    value: float | None
    value_text: str | None
    value_bool: bool | None
    unit: str | None
    quality: str


Checked = tuple[int | None, tuple[Reading, ...], tuple[Reason, ...]]


def check(metrics: Mapping[str, object], product: Product, fixed: Mapping[str, str]) -> Checked:
    """Hold metrics against the newest version that takes them: (version, readings, reasons).

    Where none does, the reasons are the newest version's. `fixed` has the types that first use
    gave to metrics of a product without schema.
    """
    if not product.newest_first:
        return _check_open(metrics, fixed)
    refused: Checked | None = None
    for version in product.newest_first:
        checked = _check_version(metrics, version)
        if not checked[2]:
            return checked
        refused = refused or checked
    assert refused is not None
    return refused


def _check_version(metrics: Mapping[str, object], version: SchemaVersion) -> Checked:
    readings: list[Reading] = []
    broken: list[tuple[str, str]] = []
    for name, value in metrics.items():
        metric = version.metrics.get(name)
        if metric is None:
            broken.append((name, "unknown_metric"))
        elif rule := broken_rule(metric, value):
            broken.append((name, rule))
        else:
            readings.append(_reading(metric, value))
    for name, metric in version.metrics.items():
        if metric.required and name not in metrics:
            broken.append((name, "required"))
    return version.version, tuple(readings), _reasons(broken, metrics)


def _reasons(
    broken: Sequence[tuple[str, str]], metrics: Mapping[str, object]
) -> tuple[Reason, ...]:
    """Return a reason for each of the metrics, with what was said, as far as there is room."""
    told, left_out = broken[:MOST_REASONS], broken[MOST_REASONS:]
    found = [
        Reason(name, rule, shown(metrics[name]) if name in metrics else "") for name, rule in told
    ]
    counts = Counter(map(itemgetter(1), left_out))
    more = (Reason("", rule, f"and {count:,} metrics more") for rule, count in counts.items())
    return (*found, *more)


def broken_rule(metric: Metric, value: object) -> str | None:
    """Return the rule that the value breaks, or None; a sentinel breaks none."""
    kind = value_type(value)
    if metric.type in ("double", "int"):
        if kind != "double":
            return "type"
        number = value
        assert isinstance(number, int | float)
        if number in metric.sentinels:
            return None
        if metric.type == "int" and number != int(number):
            return "type"
        if metric.type == "int" and abs(number) > MOST_INT:
            return "range"
        below = metric.min is not None and number < metric.min
        above = metric.max is not None and number > metric.max
        return "range" if below or above else None
    if kind != metric.type:
        return "type"
    known = not metric.values or value in metric.values or value in metric.sentinels
    return None if known else "values"


def value_type(value: object) -> str | None:
    """Return double, string or bool; None for what no metric can be."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "double"
    return "string" if isinstance(value, str) else None


def _reading(metric: Metric, value: object) -> Reading:
    if metric.sentinels and not isinstance(value, bool) and value in metric.sentinels:
        return Reading(metric.name, None, None, None, metric.unit, "sentinel")
    return plain_reading(metric.name, value, metric.unit)


def plain_reading(name: str, value: object, unit: str | None = None) -> Reading:
    """Return the reading of a value of any type that a metric can be."""
    if isinstance(value, bool):
        return Reading(name, None, None, value, unit, "ok")
    if isinstance(value, str):
        return Reading(name, None, value, None, unit, "ok")
    assert isinstance(value, int | float)
    return Reading(name, float(value), None, None, unit, "ok")


def _check_open(metrics: Mapping[str, object], fixed: Mapping[str, str]) -> Checked:
    broken = [
        (name, "type" if name else "unknown_metric")
        for name, value in metrics.items()
        if (kind := value_type(value)) is None or fixed.get(name, kind) != kind or not name
    ]
    if broken:
        return None, (), _reasons(broken, metrics)
    return (
        None,
        tuple(plain_reading(name, value) for name, value in metrics.items()),
        (),
    )
