"""Which metric of a product a fault can hit: one that all schema versions have in common."""

from collections.abc import Callable

from telemetry.products import Metric, Product

Find = Callable[[Product], Metric | None]


def has_schema(product: Product) -> bool:
    """Say whether metrics are held against a schema."""
    return bool(product.versions)


def has_no_limits(product: Product) -> bool:
    """Say whether no delay, however long, is held against a message."""
    return product.lateness is None and product.max_age is None


def _shared(product: Product) -> list[Metric]:
    if not product.versions:
        return []
    names = set.intersection(*(set(version.metrics) for version in product.versions))
    return [metric for name, metric in product.versions[0].metrics.items() if name in names]


def needed(product: Product) -> Metric | None:
    """Return a metric that every version requires."""
    found = (metric for metric in _shared(product) if metric.required)
    return next(found, None)


def bounded(product: Product) -> Metric | None:
    """Return a number with a maximum that every version has."""
    found = (metric for metric in _shared(product) if metric.max is not None)
    return next(found, None)


def worded(product: Product) -> Metric | None:
    """Return a text whose words every version lists."""
    return next((metric for metric in _shared(product) if metric.values), None)


def with_sentinel(product: Product) -> Metric | None:
    """Return a metric with a value that means no reading."""
    return next((metric for metric in _shared(product) if metric.sentinels), None)


def has(find: Find) -> Callable[[Product], bool]:
    """Return the question whether a product has such a metric."""
    return lambda product: find(product) is not None
