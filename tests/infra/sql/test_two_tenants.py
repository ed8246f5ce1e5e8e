"""Where two tenants have devices and zones of the same names, each has the answers of its own."""

from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from telemetry.settings import Settings
from telemetry.tables import BY_NAME
from tests.infra.sql.cookbook_asked import TITLES, asked, nearly, unlimited


@pytest.fixture(scope="module")
def together(alone: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return a stack in which another tenant has all the same rows."""
    home: Path = tmp_path_factory.mktemp("together")
    for name, table in BY_NAME.items():
        folder = Path(*name.split("."))
        rows = DeltaTable(Path(alone.lake_root) / folder).to_pyarrow_table()
        if "tenant" in rows.column_names:
            at = rows.column_names.index("tenant")
            named = pa.array(["another"] * len(rows), rows.schema.field(at).type)
            rows = pa.concat_tables([rows, rows.set_column(at, rows.schema.field(at), named)])
        write_deltalake(home / "lake" / folder, rows, partition_by=list(table.partition_by))
    return Settings(home=home)


@pytest.mark.parametrize("title", TITLES)
def test_a_statement_answers_each_tenant_as_if_it_were_alone(
    title: str, alone: Settings, together: Settings
) -> None:
    statement = unlimited(title)
    expected = asked(alone, statement).drop("tenant", strict=False)
    found = asked(together, statement)
    assert expected.height > 0
    for tenant in ("default", "another"):
        own = found.filter(pl.col("tenant") == tenant).drop("tenant", strict=False)
        assert own.rows() == [nearly(row) for row in expected.rows()]
