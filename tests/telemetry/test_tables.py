"""Declarations of tables and topics hold together."""

import pytest

from telemetry.tables import BY_NAME, TABLES, Table
from telemetry.topics import TOPICS


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_keys_partitions_and_statistics_are_columns(table: Table) -> None:
    columns = set(table.column_names)

    assert len(columns) == len(table.columns)
    for names in (table.key, table.partition_by, table.cluster_by, table.statistics):
        assert set(names) <= columns
    assert table.layer in ("bronze", "silver", "gold", "dim", "ops")


def test_names_are_unique() -> None:
    assert len(BY_NAME) == len(TABLES)
    assert len({topic.name for topic in TOPICS}) == len(TOPICS)
