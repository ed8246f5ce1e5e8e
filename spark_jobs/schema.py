"""What follows from a table's declaration: its Arrow schema, its Delta schema and properties."""

import pyarrow as pa
from deltalake import Field, Schema

from telemetry.tables import (
    DELIVERY_DELAY,
    DEVICES,
    PROPERTIES,
    RESTATEMENTS,
    Column,
    Table,
    Type,
)

REWRITTEN_HOURS = 1
REWRITTEN = {
    "delta.logRetentionDuration": f"interval {REWRITTEN_HOURS} hours",
    "delta.deletedFileRetentionDuration": f"interval {REWRITTEN_HOURS} hours",
}
"""Of tables that each batch, or each change of the registry, rewrites: a day of their versions
would slow every commit down, and fill the disk."""
READ_ON = {"delta.enableExpiredLogCleanup": "false"}
"""Of tables that streams and jobs go on reading where they were: landing deletes what none needs
(docs/decisions/0039). By age alone a stream that was stopped for a day would lose its place."""
REASON = pa.struct([("field", pa.string()), ("rule", pa.string()), ("value", pa.string())])
TIMESTAMP = pa.timestamp("us", tz="UTC")
ARROW_TYPES: dict[Type, pa.DataType] = {
    "string": pa.string(),
    "long": pa.int64(),
    "int": pa.int32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": TIMESTAMP,
    "date": pa.date32(),
    "binary": pa.binary(),
    "map<string,string>": pa.map_(pa.string(), pa.string()),
    "map<string,binary>": pa.map_(pa.string(), pa.binary()),
    "map<int,long>": pa.map_(pa.int32(), pa.int64()),
    "array<reason>": pa.list_(REASON),
}


def arrow_schema(table: Table) -> pa.Schema:
    """Return the schema that frames of the table have."""
    return pa.schema([_arrow_field(column) for column in table.columns])


def is_of(type_: pa.DataType, wanted: pa.DataType) -> bool:
    """Tell whether a type is the one that is wanted, or has words where that has texts."""
    if pa.types.is_map(type_) and pa.types.is_map(wanted):
        items = is_of(type_.item_type, wanted.item_type)
        return items and is_of(type_.key_type, wanted.key_type)
    is_word = pa.types.is_dictionary(type_) and type_.value_type == wanted
    return is_word or bool(type_ == wanted)


def without_words(type_: pa.DataType) -> pa.DataType:
    """Return the type that has texts where this one has words."""
    if pa.types.is_map(type_):
        return pa.map_(without_words(type_.key_type), without_words(type_.item_type))
    return type_.value_type if pa.types.is_dictionary(type_) else type_


def conform(table: Table, rows: pa.Table) -> pa.Table:
    """Return the rows with exactly the table's columns, order and types."""
    schema = arrow_schema(table)
    return rows.select(schema.names).cast(schema)


def _arrow_field(column: Column) -> pa.Field:
    return pa.field(column.name, ARROW_TYPES[column.type], nullable=not column.required)


def delta_schema(table: Table) -> Schema:
    """Return the schema of the Delta table, each column with its meaning as its comment."""
    plain = Schema.from_arrow(arrow_schema(table))
    return Schema(
        [
            Field(
                field.name,
                field.type,
                nullable=field.nullable,
                metadata={"comment": comment(column)},
            )
            for field, column in zip(plain.fields, table.columns, strict=True)
        ]
    )


def comment(column: Column) -> str:
    """Return the column's meaning, with its unit if it has one."""
    return f"{column.meaning} ({column.unit})" if column.unit else column.meaning


def table_properties(table: Table) -> dict[str, str | None]:
    """Return the Delta properties of the table at its creation."""
    statistics: dict[str, str | None] = (
        {"delta.dataSkippingStatsColumns": ",".join(table.statistics)} if table.statistics else {}
    )
    own = REWRITTEN if is_rewritten(table) else READ_ON if is_landed(table) else {}
    return {**PROPERTIES, **statistics, **own}


def is_landed(table: Table) -> bool:
    """Tell whether landing writes the table, and keeps its log short."""
    return table.layer in ("bronze", "silver")


def is_rewritten(table: Table) -> bool:
    """Tell whether files of the table are rewritten all the time, and no stream reads it."""
    return table.layer == "gold" or table in (DELIVERY_DELAY, RESTATEMENTS, DEVICES)
