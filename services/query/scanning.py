"""Rows of whole tables, not of one series: filtered as their files are read.

Row groups are read here one by one: pyarrow's datasets do the same, and bring pandas with them,
which is half a second of a start and 40 MB of a process.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TypeVar

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from services.query.listing import TableFiles

READ_AGAIN = 3
BATCH_ROWS = 128 * 1024
TIME = pl.Datetime("us", "UTC")
Result = TypeVar("Result")
Named = Mapping[str, Collection[str]]
"""Texts that a column of the wanted rows has one of."""


def read(
    files: TableFiles, paths: Sequence[str], columns: Sequence[str], where: pl.Expr, named: Named
) -> pl.DataFrame:
    """Return columns of the rows that fit both; raise FileNotFoundError if a rewrite was faster."""
    return pl.concat(parts(files, paths, columns, where, named), how="vertical_relaxed")


def parts(
    files: TableFiles, paths: Sequence[str], columns: Sequence[str], where: pl.Expr, named: Named
) -> Iterator[pl.DataFrame]:
    """Yield the same a row group at a time, and for each file a frame that may have no rows."""
    fits = [pl.col(name).is_in(list(texts)) for name, texts in named.items()]
    needed = list(dict.fromkeys([*columns, *named, *where.meta.root_names()]))
    for path in paths:
        for part in _groups(files, path, needed, named):
            yield _with(needed, _frame(part)).filter(where, *fits).select(columns)


def batches(
    files: TableFiles, paths: Sequence[str], columns: Sequence[str]
) -> Iterator[pl.DataFrame]:
    """Yield columns of all rows, so many at a time: whole files may be more than memory holds."""
    for path in paths:
        with files.store.open_input_file(f"{files.folder}/{path}") as source:
            for batch in pq.ParquetFile(source).iter_batches(BATCH_ROWS, columns=list(columns)):
                yield _frame(batch)


def _groups(
    files: TableFiles, path: str, columns: Sequence[str], named: Named
) -> Iterator[pa.Table]:
    """Yield the row groups that may hold rows with these names; none, if there is no such one."""
    with files.store.open_input_file(f"{files.folder}/{path}") as source:
        file = pq.ParquetFile(source)
        there = [name for name in columns if name in file.schema_arrow.names]
        yield file.schema_arrow.empty_table().select(there)
        for number in range(file.num_row_groups):
            if _may_hold(file.metadata.row_group(number), named):
                yield file.read_row_group(number, columns=there)


def _may_hold(group: pq.RowGroupMetaData, named: Named) -> bool:
    chunks = (group.column(number) for number in range(group.num_columns))
    told = {chunk.path_in_schema: chunk.statistics for chunk in chunks}
    return all(
        any(found.min <= text <= found.max for text in texts)
        for name, texts in named.items()
        if (found := told.get(name)) is not None and found.has_min_max
    )


def _with(columns: Sequence[str], rows: pl.DataFrame) -> pl.DataFrame:
    """Add columns that the table did not have yet when the file was written."""
    missing = [name for name in columns if name not in rows.columns]
    return rows.with_columns(pl.lit(None).alias(name) for name in missing)


def _frame(rows: pa.Table | pa.RecordBatch) -> pl.DataFrame:
    found = pl.from_arrow(rows)
    assert isinstance(found, pl.DataFrame)
    return found


def tried(make: Callable[[], Result]) -> Result:
    """Do it again while files vanish meanwhile: their rows are in others by then."""
    for _ in range(READ_AGAIN):
        try:
            return make()
        except FileNotFoundError:
            continue
    return make()
