"""Queries without Trino: its dialect translated for duckdb, over the tables' files."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

import duckdb
import pyarrow as pa
from deltalake import DeltaTable
from pyarrow.dataset import Dataset
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem
from sqlglot import exp

from edge.log_looks import seen
from infra.sql.catalog import no_such_table
from infra.sql.light_show import show
from infra.sql.result import QueryError, Result, unique_names
from infra.sql.translation import parse, position, tables_in, to_duckdb
from infra.trino.registration import local_lake
from telemetry.settings import Settings
from telemetry.tables import BY_NAME

Engine: TypeAlias = duckdb.DuckDBPyConnection
BATCH_ROWS = 10_000
PREPARATION = """
set timezone = 'UTC';
set integer_division = true;
attach ':memory:' as lake;
use lake;
create macro lake.main.nan() as 'nan'::double;
create macro lake.main.infinity() as 'inf'::double;
create macro lake.main.is_nan(x) as isnan(x);
create macro lake.main.is_finite(x) as isfinite(x);
create macro lake.main.is_infinite(x) as isinf(x);
create macro lake.main.to_utf8(x) as encode(x);
"""


def query_light(settings: Settings, query: str) -> Result:
    """Run a query over the newest version of each table that it names."""
    known = _known_tables(settings)
    shown = show(query, known)
    if shown:
        return shown
    tree = parse(query)
    names = _checked(tree, known)
    try:
        engine = _engine(settings, names)
        relation = engine.sql(to_duckdb(tree))
        columns = unique_names(relation.columns)
        return Result(columns, _rows(engine, relation))
    except duckdb.Error as error:
        raise QueryError(_explained(tree, error)) from error


def _known_tables(settings: Settings) -> list[str]:
    lake = local_lake(settings)
    return [name for name in BY_NAME if (lake / name.replace(".", "/") / "_delta_log").is_dir()]


def _checked(tree: exp.Expr, known: Sequence[str]) -> set[str]:
    """Return the tables that a query names; raise for one that is not there."""
    names = set()
    for table in tables_in(tree):
        name = f"{table.db.lower()}.{table.name.lower()}".removeprefix(".")
        if name not in known or table.catalog.lower() not in ("", "lake"):
            quoted = f"'lake.{name}'"
            raise QueryError(
                f"{position(table)}Table {quoted} does not exist; {no_such_table(quoted, known)}"
            )
        names.add(name)
    return names


def _engine(settings: Settings, names: set[str]) -> Engine:
    """Return an engine that sees the named tables in catalog `lake`, and no file beside them."""
    engine = duckdb.connect()
    engine.execute(PREPARATION)
    for schema in sorted({name.split(".")[0] for name in BY_NAME}):
        engine.execute(f"create schema {schema}")
    for name in sorted(names):
        files = _files(local_lake(settings) / name.replace(".", "/"))
        source = name.replace(".", "__")
        engine.register(source, files)
        engine.execute(f"create view lake.{name} as select * from {source}")  # noqa: S608 - our own names
    engine.execute("set enable_external_access = false; set lock_configuration = true")
    return engine


def _files(folder: Path) -> Dataset:
    """Return a table's files, read by Arrow itself.

    Arrow reads ahead in threads of its own: through a file system in Python, one that still reads
    when a query with a limit is done would crash the interpreter as it ends.
    """
    arrow_files = SubTreeFileSystem(str(folder), LocalFileSystem())
    return seen(lambda: DeltaTable(folder)).to_pyarrow_dataset(filesystem=arrow_files)


def _rows(engine: Engine, relation: duckdb.DuckDBPyRelation) -> Iterator[Sequence[object]]:
    """Yield rows; the engine stays open as long as they come."""
    try:
        for batch in relation.to_arrow_reader(BATCH_ROWS):
            yield from zip(*map(_values, batch.columns), strict=True)
    except duckdb.Error as error:
        raise QueryError(_one_line(error)) from error
    finally:
        engine.close()


def _values(column: pa.Array) -> list[object]:
    """Return a column's values; an interval is how long it lasts, as Trino's client has it."""
    values: list[object] = column.to_pylist(maps_as_pydicts="lossy")
    if not pa.types.is_interval(column.type):
        return values
    return [
        timedelta(days=each.days, microseconds=each.nanoseconds // 1000)
        if isinstance(each, pa.MonthDayNano) and not each.months
        else each
        for each in values
    ]


def _explained(tree: exp.Expr, error: duckdb.Error) -> str:
    """Say where in the query the name is that the engine complains about."""
    message = _one_line(error)
    quoted = message.split('"')[1] if message.count('"') > 1 else None
    for identifier in tree.find_all(exp.Identifier):
        if identifier.name == quoted:
            return position(identifier) + message
    return message


def _one_line(error: duckdb.Error) -> str:
    """Return the engine's complaint without its copy of the translated query."""
    said = str(error).partition("\n\nLINE ")[0]
    return " ".join(said.partition(": ")[2].split()) or said
