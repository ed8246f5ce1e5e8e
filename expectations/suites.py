"""The suite of each table: structure from its declaration, meaning from its rules."""

from collections.abc import Iterable, Mapping, Sequence

from great_expectations.expectations.expectation import Expectation

from expectations import gold_rules, landed_rules, ops_rules, product_rules, structure
from expectations.rule import Rule, expectation
from telemetry import tables
from telemetry.products import Product
from telemetry.tables import Table

MEANING: Mapping[Table, Sequence[Rule]] = {
    **landed_rules.RULES,
    **gold_rules.RULES,
    **ops_rules.RULES,
}
_OF_PRODUCTS = (tables.READINGS, tables.LATE)


def rules(table: Table, products: Iterable[Product] = ()) -> Sequence[Rule]:
    """Return the rules of a table's rows, with those of the products where it holds readings."""
    schemas = product_rules.row_rules(products) if table in _OF_PRODUCTS else ()
    return [*MEANING[table], *schemas]


def suite(table: Table, held: Sequence[Rule]) -> Sequence[Expectation]:
    """Return what is expected of a table's rows, `held` being columns beside its own."""
    names = [*table.column_names, *(rule.sentence for rule in held)]
    return [
        *structure.shape(table, names),
        *structure.identity(table),
        *(expectation(rule) for rule in held),
    ]
