"""What a table and its columns are declared as."""

from dataclasses import dataclass
from typing import Literal

Type = Literal[
    "string",
    "long",
    "int",
    "double",
    "boolean",
    "timestamp",
    "date",
    "binary",
    "map<string,string>",
    "map<string,binary>",
    "map<int,long>",
    "array<reason>",
]
"""Column types. `timestamp` is aware UTC in microseconds; `reason` is a struct of the strings
field, rule and value."""

Retention = Literal["class", "90 d", "400 d", "forever"]
"""`class`: by the retention class in the row's partition; a span: by the date partition."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column; a unit where the name does not say it."""

    name: str
    type: Type
    meaning: str
    unit: str | None = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One Delta table and all that follows from its declaration."""

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    partition_by: tuple[str, ...] = ()
    cluster_by: tuple[str, ...] = ()
    statistics: tuple[str, ...] = ()
    retention: Retention = "forever"
    owner: str = "data-platform"

    @property
    def layer(self) -> str:
        """Schema in SQL: bronze, silver, gold, dim or ops."""
        return self.name.split(".")[0]

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names in the table's order."""
        return tuple(column.name for column in self.columns)
