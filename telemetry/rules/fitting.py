"""Whether a rule fits the product that it names: a metric that is not there can never alarm."""

from telemetry.errors import RuleError
from telemetry.products import Product
from telemetry.rules.checks import NoData, kind_of
from telemetry.rules.rule import Rule

NUMBERS = ("double", "int")


def check_fits(rule: Rule, product: Product) -> None:
    """Raise `RuleError` for a metric that no version of the product knows, or of another type.

    A product without a schema takes any metric.
    """
    if not product.versions:
        return
    known = {
        name: metric.type
        for version in reversed(product.newest_first)
        for name, metric in version.metrics.items()
    }
    for name in rule.metrics:
        if name not in known:
            raise RuleError(
                f"rule {rule.name}: metrics: product {product.key} has no metric {name!r};"
                f" it has {', '.join(sorted(known))}"
            )
        if known[name] not in NUMBERS and not isinstance(rule.check, NoData):
            raise RuleError(
                f"rule {rule.name}: metrics: {name!r} is a {known[name]}, and a"
                f" {kind_of(rule.check)} rule takes numbers"
            )
