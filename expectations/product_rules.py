"""The row rules of the stream as a suite: what a product's schema says of its readings.

The stream judges a message before it is landed; this holds what was landed to the same schema.
"""

from collections.abc import Iterable, Iterator, Sequence

from expectations.rule import Rule, apart
from telemetry.products import Metric, Product, SchemaVersion
from telemetry.schema_check import MOST_INT


def row_rules(products: Iterable[Product]) -> Sequence[Rule]:
    """Return the rules of single readings, of every version of every product."""
    return apart(
        rule
        for product in products
        for version in product.versions
        for rule in _version_rules(product, version)
    )


def message_rules(products: Iterable[Product]) -> Sequence[Rule]:
    """Return the rules that need all readings of a message beside each other."""
    return [
        Rule(
            f"{_name(product, version)} has {metric.name}",
            _scoped(product, version, _present(metric)),
        )
        for product in products
        for version in product.versions
        for metric in version.metrics.values()
        if metric.required
    ]


def _version_rules(product: Product, version: SchemaVersion) -> Iterator[Rule]:
    name = _name(product, version)
    known = ", ".join(_text(metric) for metric in version.metrics)
    yield Rule(f"{name} has known metrics", _scoped(product, version, f"metric in ({known})"))
    for metric in version.metrics.values():
        held = f"metric <> {_text(metric.name)} or ({_holds(metric)})"
        yield Rule(f"{name} {metric.name} fits its schema", _scoped(product, version, held))


def _name(product: Product, version: SchemaVersion) -> str:
    tenant = "" if product.tenant == "default" else f"{product.tenant} "
    return f"{tenant}{product.key} version {version.version}"


def _scoped(product: Product, version: SchemaVersion, sql: str) -> str:
    """Ask only rows of a product's version; a null in the condition breaks the rule."""
    return (
        f"tenant <> {_text(product.tenant)} or product <> {_text(product.key)}"
        f" or schema_version <> {version.version} or coalesce({sql}, false)"
    )


def _holds(metric: Metric) -> str:
    sentinel = "quality = 'sentinel'" if metric.sentinels else "false"
    if metric.type == "bool":
        return "value_bool is not null"
    if metric.type == "string":
        return f"{sentinel} or {_text_holds(metric)}"
    return f"{sentinel} or ({_number_holds(metric)})"


def _text_holds(metric: Metric) -> str:
    if not metric.values:
        return "value_text is not null"
    return f"value_text in ({', '.join(_text(word) for word in metric.values)})"


def _number_holds(metric: Metric) -> str:
    conditions = ["value is not null"]
    if metric.type == "int":
        conditions += ["value = rint(value)", f"abs(value) <= double({MOST_INT})"]
    if metric.min is not None:
        conditions.append(f"value >= double({metric.min})")
    if metric.max is not None:
        conditions.append(f"value <= double({metric.max})")
    return " and ".join(conditions)


def _present(metric: Metric) -> str:
    return f"max(metric = {_text(metric.name)}) over (partition by tenant, device_full, boot, seq)"


def _text(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
