"""Files of one Delta table: those that are there, and new ones with their statistics.

Replacing by predicate in delta-rs puts the rows that stay and the new ones into one file, so a
table that is written at its newest end would rewrite all of it for ever. Here rows that stay get
a file of their own, which is not touched again until there are too many small ones.
"""

import io
import json
import re
import time
import uuid
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import TypeAlias

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.transaction import AddAction, RemoveAction
from pyarrow import fs

from telemetry.tables import Table

Action: TypeAlias = AddAction | RemoveAction
SMALL_ROWS = 100_000
MOST_SMALL = 64
FILE_ROWS = 1_000_000


def listed(handle: DeltaTable) -> pl.DataFrame:
    """Return the table's files with `partition.…`, `min.…` and `max.…` of their columns."""
    files = pl.DataFrame(pa.table(handle.get_add_actions(flatten=True)))
    return files.rename({"size_bytes": "size"})


def touched(files: pl.DataFrame, may_hold: pl.Expr, table: Table) -> pl.DataFrame:
    """Return the files that may hold what is replaced, and small ones that have become many."""
    hit = files.filter(may_hold)
    partition = [f"partition.{name}" for name in table.partition_by]
    small = files.filter(pl.col("num_records") < SMALL_ROWS).join(hit, on=partition, how="semi")
    many = small.filter(pl.len().over(partition) > MOST_SMALL)
    return pl.concat([hit, many]).unique("path", maintain_order=True)


def content(uri: str, files: pl.DataFrame, table: Table) -> pl.DataFrame | None:
    """Return the rows of some files, partition columns filled in; None if there is no file."""
    partition = {name: f"partition.{name}" for name in table.partition_by}
    frames = [
        pl.scan_parquet(f"{uri}/{row['path']}", hive_partitioning=False).with_columns(
            pl.lit(row[column]).alias(name) for name, column in partition.items()
        )
        for row in files.iter_rows(named=True)
    ]
    return pl.concat(frames).select(table.column_names).collect() if frames else None


def removals(files: pl.DataFrame, table: Table) -> list[RemoveAction]:
    """Return what takes files out of the table."""
    now_ms = time.time_ns() // 1_000_000
    return [
        RemoveAction(
            row["path"],
            True,
            now_ms,
            row["size"],
            {name: str(row[f"partition.{name}"]) for name in table.partition_by},
        )
        for row in files.iter_rows(named=True)
    ]


def written(uri: str, table: Table, frames: Iterable[pl.DataFrame]) -> list[AddAction]:
    """Write each frame's partitions into files of their own; return what adds them."""
    store, root = fs.FileSystem.from_uri(uri)
    return [
        _write(store, root, table, rows)
        for frame in frames
        for part in _partitions(frame, table)
        for rows in part.sort(table.cluster_by).iter_slices(FILE_ROWS)
    ]


def _partitions(frame: pl.DataFrame, table: Table) -> Sequence[pl.DataFrame]:
    if frame.is_empty():
        return []
    return frame.partition_by(table.partition_by) if table.partition_by else [frame]


def _write(store: fs.FileSystem, root: str, table: Table, rows: pl.DataFrame) -> AddAction:
    values = {name: str(rows[name][0]) for name in table.partition_by}
    folder = "/".join(
        re.sub(r"[^\w.=-]", "_", f"{name}={value}", flags=re.ASCII)
        for name, value in values.items()
    )
    name = f"{folder}/part-{uuid.uuid4()}.zstd.parquet".lstrip("/")
    buffer = io.BytesIO()
    rows.drop(table.partition_by).write_parquet(buffer, compression="zstd", compression_level=1)
    store.create_dir(f"{root}/{folder}")
    with store.open_output_stream(f"{root}/{name}") as file:
        file.write(buffer.getbuffer())
    size, now_ms = buffer.tell(), time.time_ns() // 1_000_000
    return AddAction(name, size, values, now_ms, True, _statistics(rows, table))


def _statistics(rows: pl.DataFrame, table: Table) -> str:
    columns = [
        name
        for name in table.statistics
        if name not in table.partition_by and rows.schema[name] != pl.Boolean
    ]
    least = rows.select(pl.col(columns).min()).row(0, named=True)
    greatest = rows.select(pl.col(columns).max()).row(0, named=True)
    found = {
        "numRecords": rows.height,
        "minValues": {name: _plain(value) for name, value in least.items() if value is not None},
        "maxValues": {name: _plain(value) for name, value in greatest.items() if value is not None},
        "nullCount": rows.select(pl.col(columns).null_count()).row(0, named=True),
    }
    return json.dumps(found)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return str(value) if isinstance(value, date) else value
