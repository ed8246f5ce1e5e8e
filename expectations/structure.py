"""What a table's declaration says of its structure: columns, types, key, what is never null."""

from collections.abc import Sequence

from great_expectations.expectations.core.expect_column_values_to_be_of_type import (
    ExpectColumnValuesToBeOfType,
)
from great_expectations.expectations.core.expect_column_values_to_be_unique import (
    ExpectColumnValuesToBeUnique,
)
from great_expectations.expectations.core.expect_column_values_to_not_be_null import (
    ExpectColumnValuesToNotBeNull,
)
from great_expectations.expectations.core.expect_compound_columns_to_be_unique import (
    ExpectCompoundColumnsToBeUnique,
)
from great_expectations.expectations.core.expect_table_columns_to_match_set import (
    ExpectTableColumnsToMatchSet,
)
from great_expectations.expectations.expectation import Expectation

from telemetry.tables import Table, Type

SPARK_TYPES: dict[Type, str] = {
    "string": "StringType",
    "long": "LongType",
    "int": "IntegerType",
    "double": "DoubleType",
    "boolean": "BooleanType",
    "timestamp": "TimestampType",
    "date": "DateType",
    "binary": "BinaryType",
    "map<string,string>": "MapType",
    "map<string,binary>": "MapType",
    "map<int,long>": "MapType",
    "array<reason>": "ArrayType",
}


def shape(table: Table, names: Sequence[str]) -> Sequence[Expectation]:
    """Expect the columns `names` and no other, the declared ones of their type; asks no row."""
    columns = ExpectTableColumnsToMatchSet(column_set=list(names))
    types = [
        ExpectColumnValuesToBeOfType(column=column.name, type_=SPARK_TYPES[column.type])
        for column in table.columns
    ]
    return [columns, *types]


def identity(table: Table) -> Sequence[Expectation]:
    """Expect each key once, and no null where the declaration wants a value."""
    required = {column.name for column in table.columns if column.required} | set(table.key)
    present = [
        ExpectColumnValuesToNotBeNull(column=name)
        for name in table.column_names
        if name in required
    ]
    return [*present, _unique(table.key)]


def _unique(key: tuple[str, ...]) -> Expectation:
    if len(key) == 1:
        return ExpectColumnValuesToBeUnique(column=key[0])
    return ExpectCompoundColumnsToBeUnique(column_list=list(key))
