"""Rows of some of a table's files, a bearable number at a time."""

from collections.abc import Iterator
from datetime import datetime

import polars as pl

from spark_jobs.lake import Lake
from spark_jobs.row_files import scan_files
from spark_jobs.table_files import paths
from telemetry.tables import Table

PIECE_ROWS = 1_000_000


def pieces(lake: Lake, table: Table, since: datetime | None = None) -> Iterator[pl.LazyFrame]:
    """Yield the rows of files written since a moment (None: all), a bounded number at a time.

    What the table is partitioned by is not among the columns.
    """
    files = lake.files(table)
    if since is not None:
        files = files.filter(pl.col("modification_time") >= int(since.timestamp() * 1000))
    piece = files["num_records"].fill_null(PIECE_ROWS).cum_sum() // PIECE_ROWS
    for some in files.with_columns(piece=piece).partition_by("piece", maintain_order=True):
        yield _rows_of(lake, table, some)


def newest(lake: Lake, table: Table, rows: int) -> pl.LazyFrame:
    """Return the rows of the newest files, up to about so many."""
    files = lake.files(table).sort("modification_time", descending=True)
    before = files["num_records"].cum_sum() - files["num_records"]
    some = files.filter(before < rows)
    return lake.scan(table).head(0) if some.is_empty() else _rows_of(lake, table, some)


def _rows_of(lake: Lake, table: Table, files: pl.DataFrame) -> pl.LazyFrame:
    at = [f"{lake.uri(table)}/{path}" for path in paths(files)]
    return scan_files(at, table)
