"""What separates a table in the lake from its declaration, and what of it mends itself."""

from dataclasses import dataclass, field

from deltalake import DeltaTable, Field
from deltalake.exceptions import DeltaError

from edge.log_looks import seen
from spark_jobs.schema import delta_schema, table_properties
from telemetry.errors import HeadwaterError
from telemetry.tables import Table

MIGRATIONS = {
    "bronze": "bronze is never changed: copy it into a new table, column by column, and put that"
    " in its place",
    "silver": "stop the streams, set the table's folder aside, `headwater job recover gold`, and"
    " build the table again from bronze by `headwater job replay --from DATE --to DATE --in-place`",
    "gold": "stop the streams, set the folders of gold's tables and checkpoints/gold aside; gold"
    " is made again from silver at the next start",
}
OTHER_MIGRATION = "copy the table into a new one, column by column, and put that in its place"


class TableChangedError(HeadwaterError):
    """A table in the lake is not as declared, and only a migration brings it there."""


@dataclass(slots=True)
class Changes:
    """What can be done at once, and what cannot."""

    columns: list[Field] = field(default_factory=list)
    properties: dict[str, str] = field(default_factory=dict)
    now_nullable: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def is_nothing(self) -> bool:
        """Tell whether the table is as declared."""
        return not (self.columns or self.properties or self.now_nullable or self.refused)


def changes(handle: DeltaTable, table: Table) -> Changes:
    """Hold a table against its declaration."""
    found = Changes()
    there = {one.name: one for one in handle.schema().fields}
    declared = delta_schema(table).fields
    for wanted in declared:
        _column_change(there.get(wanted.name), wanted, found)
    gone = sorted(set(there) - {wanted.name for wanted in declared})
    found.refused += [f"column {name} is there and not declared" for name in gone]
    partitions = handle.metadata().partition_columns
    if partitions != list(table.partition_by):
        found.refused.append(
            f"it is partitioned by {', '.join(partitions) or 'nothing'},"
            f" declared: {', '.join(table.partition_by) or 'nothing'}"
        )
    configured = handle.metadata().configuration
    wanted_properties = table_properties(table).items()
    found.properties = {
        name: value for name, value in wanted_properties if value and configured.get(name) != value
    }
    return found


def _column_change(there: Field | None, wanted: Field, found: Changes) -> None:
    if there is None and wanted.nullable:
        found.columns.append(wanted)
    elif there is None:
        found.refused.append(f"column {wanted.name} is missing, and rows must have it")
    elif there.type != wanted.type:
        found.refused.append(f"column {wanted.name} is {_type(there)}, declared as {_type(wanted)}")
    elif there.nullable and not wanted.nullable:
        found.refused.append(f"column {wanted.name} may be null, declared as required")
    elif wanted.nullable and not there.nullable:
        found.now_nullable.append(wanted.name)


def _type(column: Field) -> str:
    said = column.to_json()
    return said.partition('"type":')[2].partition(',"nullable"')[0].strip('"')


def bring(handle: DeltaTable, table: Table) -> None:
    """Bring a table to its declaration where no row must change; else raise, with the migration."""
    found = changes(handle, table)
    if found.refused:
        raise TableChangedError(
            f"[TABLE_CHANGED] {table.name} in the lake is not as this release declares it:"
            f" {'; '.join(found.refused)}. Nothing was touched. Either go back to the release that"
            f" made it, or {MIGRATIONS.get(table.layer, OTHER_MIGRATION)}: see docs/upgrading.md"
        )
    try:
        _alter(handle, found)
    except DeltaError:
        # Another process may have been faster with the same.
        seen(handle.update_incremental)
        if not changes(handle, table).is_nothing:
            raise


def _alter(handle: DeltaTable, found: Changes) -> None:
    if found.columns:
        handle.alter.add_columns(found.columns)
    for name in found.now_nullable:
        handle.alter.drop_column_not_null(name)
    if found.properties:
        handle.alter.set_table_properties(found.properties)
