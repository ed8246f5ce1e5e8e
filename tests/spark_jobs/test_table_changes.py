"""Tables of an earlier declaration: brought to today's, or refused with the migration."""

from dataclasses import replace

import polars as pl
import pytest

from spark_jobs.lake import Lake
from spark_jobs.table_changes import TableChangedError, changes
from telemetry.tables import CONFLICTS, FIRST_USE, Column, Table

NOTE = Column("note", "string", "what somebody said of it")
ROW = {
    "tenant": "default",
    "product": "default",
    "metric": "x",
    "type": "double",
    "topic": "telemetry",
    "partition": 0,
    "offset": 5,
    "item": 0,
}


def with_columns(*columns: Column) -> Table:
    """Return a declaration of `ops.first_use` with other columns."""
    return replace(FIRST_USE, columns=columns)


def of_another_type(name: str, **other: object) -> Table:
    """Return the declaration with one column declared otherwise."""
    columns = [replace(c, **other) if c.name == name else c for c in FIRST_USE.columns]  # type: ignore[arg-type]
    return with_columns(*columns)


@pytest.fixture
def first_use(lake: Lake) -> Lake:
    lake.create(FIRST_USE)
    lake.append(FIRST_USE, pl.DataFrame([ROW], schema=_schema(lake)), None)
    return lake


def _schema(lake: Lake) -> pl.Schema:
    return lake.scan(FIRST_USE).collect_schema()


def test_new_column_is_added_wherever_it_is_declared_and_old_rows_have_none(
    first_use: Lake,
) -> None:
    newer = with_columns(*FIRST_USE.columns[:3], NOTE, *FIRST_USE.columns[3:])
    first_use.create(newer)
    first_use.create(newer)
    schema = first_use.scan(newer).collect_schema()
    first_use.append(newer, pl.DataFrame([{**ROW, "offset": 6, "note": "n"}], schema=schema), None)
    found = first_use.scan(newer).sort("offset").select("offset", "note").collect()
    assert found.rows() == [(5, None), (6, "n")]
    assert first_use.table(newer).version() == 3
    with pytest.raises(TableChangedError, match="column note is there and not declared"):
        first_use.create(FIRST_USE)


def test_properties_and_nullability_follow_the_declaration(first_use: Lake) -> None:
    newer = replace(of_another_type("item", required=False), statistics=("tenant",))
    first_use.create(newer)
    handle = first_use.table(newer)
    assert handle.metadata().configuration["delta.dataSkippingStatsColumns"] == "tenant"
    assert changes(handle, newer).is_nothing
    assert first_use.scan(newer).collect().height == 1


@pytest.mark.parametrize(
    ("newer", "said"),
    [
        (of_another_type("offset", type="string"), "column offset is long, declared as string"),
        (with_columns(*FIRST_USE.columns, replace(NOTE, required=True)), "note is missing"),
        (with_columns(*FIRST_USE.columns[:-1]), "column item is there and not declared"),
        (replace(FIRST_USE, partition_by=("tenant",)), "partitioned by nothing, declared: tenant"),
    ],
    ids=["type", "required", "gone", "partition"],
)
def test_what_would_change_rows_is_refused_with_the_migration(
    first_use: Lake, newer: Table, said: str
) -> None:
    with pytest.raises(TableChangedError, match=r"\[TABLE_CHANGED\] ops.first_use") as refusal:
        first_use.create(newer)
    assert said in str(refusal.value)
    assert "copy the table into a new one" in str(refusal.value)
    assert first_use.table(FIRST_USE).version() == 1, "nothing was touched"


def test_column_that_becomes_required_is_refused(lake: Lake) -> None:
    lake.create(CONFLICTS)
    columns = [replace(c, required=c.required or c.name == "boot") for c in CONFLICTS.columns]
    with pytest.raises(TableChangedError, match=r"boot may be null.*recover gold"):
        lake.create(replace(CONFLICTS, columns=tuple(columns)))
