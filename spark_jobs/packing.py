"""Many small files of a table made few: the same rows, in order, while others read and append."""

import logging
from collections.abc import Iterator

import polars as pl
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError
from pyarrow import fs

from edge.log_looks import seen
from spark_jobs import table_files
from spark_jobs.lake import Lake
from spark_jobs.row_files import PACKED
from spark_jobs.table_files import Action
from telemetry.tables import Table

MOST_ROWS, MOST_BYTES = 500_000, 32 * 1024 * 1024
"""Of the files that are read at once."""
MOST_UNPACKED_BYTES = 256 * 1024 * 1024
"""Of the same in memory: texts that repeat take a thousandth of it in a file."""
SMALL_ROWS, SMALL_BYTES = MOST_ROWS // 2, MOST_BYTES // 2
TRIES = 3
COMMITS = 25
"""A commit lost against an append costs no more than to look again: nothing is written anew."""
log = logging.getLogger(__name__)


def is_small() -> pl.Expr:
    """Return the expression of files that two of fit into one."""
    return (pl.col("num_records") < SMALL_ROWS) & (pl.col("size") < SMALL_BYTES)


def groups(small: pl.DataFrame, table: Table) -> Iterator[pl.DataFrame]:
    """Cut files into groups that are read at once: whole partitions, as many as fit."""
    group: list[pl.DataFrame] = []
    for partition in _partitions(small, table):
        if group and not _fits(pl.concat([*group, partition])):
            yield pl.concat(group)
            group = []
        *whole, rest = _cut(partition)
        yield from whole
        group.append(rest)
    if group:
        yield pl.concat(group)


def _partitions(files: pl.DataFrame, table: Table) -> list[pl.DataFrame]:
    names = [f"partition.{name}" for name in table.partition_by]
    ordered = files.sort(*names, "modification_time", "path")
    return ordered.partition_by(names, maintain_order=True) if names else [ordered]


def _fits(files: pl.DataFrame) -> bool:
    return int(files["num_records"].sum()) <= MOST_ROWS and int(files["size"].sum()) <= MOST_BYTES


def _cut(files: pl.DataFrame) -> list[pl.DataFrame]:
    """Cut the files of a partition where no more of them fit into one."""
    starts, rows, size = [0], 0, 0
    for at, (more_rows, more_size) in enumerate(files.select("num_records", "size").iter_rows()):
        rows, size = rows + more_rows, size + more_size
        if rows > MOST_ROWS or size > MOST_BYTES:
            starts.append(at)
            rows, size = more_rows, more_size
    ends = [*starts[1:], len(files)]
    return [files.slice(start, end - start) for start, end in zip(starts, ends, strict=True)]


def pack(
    lake: Lake, table: Table, group: pl.DataFrame, *, most_unpacked: int = MOST_UNPACKED_BYTES
) -> int:
    """Make the files of a group one a partition; return how many files that took away."""
    light = _light(lake.uri(table), group, table, most_unpacked)
    return sum(_packed(lake, table, part) for part in light)


def _light(uri: str, group: pl.DataFrame, table: Table, most: int) -> Iterator[pl.DataFrame]:
    """Halve a group until memory holds its rows."""
    files = _together(group, table)
    if files.is_empty():
        return
    if len(files) == 2 or _unpacked_bytes(uri, files) <= most:
        yield files
        return
    middle = len(files) // 2
    for half in (files.head(middle), files.tail(-middle)):
        yield from _light(uri, half, table, most)


def _together(files: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Return the files of partitions of which there are several."""
    names = [f"partition.{name}" for name in table.partition_by]
    count = pl.len().over(names) if names else pl.len()
    return files.filter(count > 1)


def _unpacked_bytes(uri: str, files: pl.DataFrame) -> int:
    store, root = fs.FileSystem.from_uri(uri)
    return sum(_row_bytes(store, f"{root}/{path}") for path in table_files.paths(files))


def _row_bytes(store: fs.FileSystem, path: str) -> int:
    found = pq.read_metadata(path, filesystem=store)
    return sum(found.row_group(n).total_byte_size for n in range(found.num_row_groups))


def _packed(lake: Lake, table: Table, files: pl.DataFrame) -> int:
    handle = seen(lambda: DeltaTable(lake.uri(table)))
    for _ in range(TRIES):
        files = _together(_those_there(handle, files), table)
        if files.is_empty():
            return 0
        actions = table_files.pack(lake.row_files(table), files)
        if is_committed(handle, table, files, actions):
            return 2 * len(files) - len(actions)
        log.warning("%s: files were changed while they were packed", table.name)
    return 0


def is_committed(
    handle: DeltaTable, table: Table, files: pl.DataFrame, actions: list[Action]
) -> bool:
    """Commit on the newest version what takes the place of files, as long as all are there.

    delta-rs may not try again by itself: of two packings of the same files it would take both.
    """
    said = CommitProperties(custom_metadata={PACKED: str(len(files))}, max_commit_retries=0)
    for _ in range(COMMITS):
        seen(handle.update_incremental)
        if len(_those_there(handle, files)) < len(files):
            return False
        try:
            table_files.commit(handle, table, actions, said)
            return True
        except CommitFailedError as error:
            log.info("%s: another commit was faster: %s", table.name, error)
    return False


def _those_there(handle: DeltaTable, files: pl.DataFrame) -> pl.DataFrame:
    return files.join(table_files.listed(handle).select("path"), on="path", how="semi")
