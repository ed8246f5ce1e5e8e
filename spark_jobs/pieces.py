"""Rows of some of a table's files, a bearable number at a time."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import polars as pl

from spark_jobs.lake import Lake
from spark_jobs.log_files import can_go_on
from spark_jobs.new_files import files_since
from spark_jobs.row_files import scan_files
from spark_jobs.table_files import paths
from telemetry.tables import Table

PIECE_ROWS = 1_000_000
_EVER = datetime.min.replace(tzinfo=UTC)
_LEAST, _GREATEST = -(2**63), 2**63 - 1


class Since(NamedTuple):
    """A state of tables: their versions by name, and a moment before it, for what has no log."""

    versions: Mapping[str, int]
    moment: datetime


def pieces(lake: Lake, table: Table, since: Since | None = None) -> Iterator[pl.LazyFrame]:
    """Yield the rows of files that came since then (None: all), a bounded number at a time.

    What the table is partitioned by is not among the columns.
    """
    return (_rows_of(lake, table, files) for files in _some(lake, table, since, PIECE_ROWS))


def pieces_in_time(
    lake: Lake, tables: Iterable[Table], since: Since | None = None, rows: int = PIECE_ROWS
) -> Iterator[pl.LazyFrame]:
    """Yield what `pieces` does of several tables, those last whose rows Kafka had last.

    The newest files are not the newest rows: days are packed long after they came.
    """
    some = [(table, files) for table in tables for files in _some(lake, table, since, rows)]
    timed = [(_newest_row(files), table, files) for table, files in some]
    for _, table, files in sorted(timed, key=itemgetter(0)):
        yield _rows_of(lake, table, files)


def _some(lake: Lake, table: Table, since: Since | None, rows: int) -> list[pl.DataFrame]:
    """Return files in pieces, in the order in which Kafka had their newest rows."""
    files = lake.files(table) if since is None else _came(lake, table, since)
    in_time = files.sort("max.kafka_time", nulls_last=False)
    piece = in_time["num_records"].fill_null(rows).cum_sum() // rows
    return in_time.with_columns(piece=piece).partition_by("piece", maintain_order=True)


def _newest_row(files: pl.DataFrame) -> datetime:
    newest = files["max.kafka_time"].max()
    return newest if isinstance(newest, datetime) else _EVER


def _came(lake: Lake, table: Table, since: Since) -> pl.DataFrame:
    """Return the files that are new: by the log, since clocks are set back, else by their age."""
    version = since.versions.get(table.name)
    if version is not None and can_go_on(lake.table(table), version + 1):
        return files_since(lake.table(table), version)
    first = int(since.moment.timestamp() * 1000)
    return lake.files(table).filter(pl.col("modification_time") >= first)


def holding(lake: Lake, table: Table, column: str, values: np.ndarray) -> pl.LazyFrame:
    """Return the rows of the files that may hold one of some whole numbers in a column.

    Others are not opened, however wide apart the numbers are: of each file the log says the span.
    """
    files, ordered = lake.files(table), np.sort(values)
    low, high = _ends(files, f"min.{column}", _LEAST), _ends(files, f"max.{column}", _GREATEST)
    following = np.searchsorted(ordered, low)
    is_near = following < len(ordered)
    is_near[is_near] = ordered[following[is_near]] <= high[is_near]
    some = files.filter(pl.Series(is_near, dtype=pl.Boolean))
    return lake.scan(table).head(0) if some.is_empty() else _rows_of(lake, table, some)


def _ends(files: pl.DataFrame, name: str, unknown: int) -> np.ndarray:
    """Return one end of what each file holds in a column; a file of another writer may not say."""
    said = files[name] if name in files.columns else pl.Series([None] * len(files))
    found: np.ndarray = said.cast(pl.Int64).fill_null(unknown).to_numpy()
    return found


def newest(lake: Lake, table: Table, rows: int) -> pl.LazyFrame:
    """Return the rows of the newest files, up to about so many."""
    files = lake.files(table).sort("modification_time", descending=True)
    before = files["num_records"].cum_sum() - files["num_records"]
    some = files.filter(before < rows)
    return lake.scan(table).head(0) if some.is_empty() else _rows_of(lake, table, some)


def _rows_of(lake: Lake, table: Table, files: pl.DataFrame) -> pl.LazyFrame:
    at = [f"{lake.uri(table)}/{path}" for path in paths(files)]
    return scan_files(at, table)
