"""What follows from a table's declaration: its Arrow schema and its Delta schema."""

import pyarrow as pa
from deltalake import Field, Schema

from telemetry.tables import Column, Table, Type

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
