"""Where two tenants have devices and zones of the same names, each has the answers of its own."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from infra.sql.light_engine import query_light
from telemetry.settings import Settings
from telemetry.tables import BY_NAME
from tests.infra.sql import cookbook_lake, cookbook_page
from tests.infra.sql.seeded_lake import seed

TITLES = sorted(cookbook_page.statements().keys() - cookbook_page.OF_ALL_TENANTS)
AGE = timedelta(minutes=5)
"""The lake is written as of then, so that no device falls silent while it is asked."""


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Return a stack of one tenant."""
    home = tmp_path_factory.mktemp("alone")
    seed(home / "lake")
    cookbook_lake.seed(home / "lake", datetime.now(UTC) - AGE)
    return Settings(home=home)


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
    statement = unlimited(cookbook_page.statements()[title])
    expected = asked(alone, statement).drop("tenant", "age_s", strict=False)
    found = asked(together, statement)
    assert expected.height > 0
    for tenant in ("default", "another"):
        own = found.filter(pl.col("tenant") == tenant).drop("tenant", "age_s", strict=False)
        assert own.rows() == [nearly(row) for row in expected.rows()]


def unlimited(statement: str) -> str:
    """Return a statement without its limit."""
    return re.sub(r"\nlimit \d+$", "", statement)


def asked(settings: Settings, statement: str) -> pl.DataFrame:
    """Return the answer to a statement."""
    found = query_light(settings, statement)
    rows = [list(row) for row in found.rows]
    return pl.DataFrame(rows, schema=list(found.columns), orient="row", infer_schema_length=None)


def nearly(row: tuple[object, ...]) -> tuple[object, ...]:
    """Return a row whose numbers may differ by the order in which they were added up."""
    return tuple(pytest.approx(one) if isinstance(one, float) else one for one in row)
