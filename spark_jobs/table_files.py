"""Files of one Delta table: those that are there, and new ones with their statistics.

Replacing by predicate in delta-rs puts the rows that stay and the new ones into one file, so a
table that is written at its newest end would rewrite all of it for ever. Here rows that stay get
a file of their own, which is not touched again until there are too many small ones.
"""

import io
import json
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TypeAlias
from urllib.parse import quote, unquote

import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable
from deltalake.transaction import AddAction, RemoveAction
from pyarrow import fs

from spark_jobs.schema import arrow_schema, delta_schema
from telemetry.tables import Table

Action: TypeAlias = AddAction | RemoveAction
SMALL_ROWS = 100_000
MOST_SMALL = 64
FILE_ROWS = 1_000_000
PACKED = "packed"
"""In a commit's info: how many files it made one, and that it changed no row."""
_PART = "file part"
_PATH = "file path"
_HIT = "is replaced"


@dataclass(frozen=True, slots=True)
class Change:
    """Frames of rows, a file each, to put in place of the rows that equal one of `replaced`.

    `may_hold` selects the files that such rows may be in, by `partition.…`, `min.…`, `max.…`; of
    them, those that hold none are left as they are.
    """

    frames: tuple[pl.DataFrame, ...]
    replaced: pl.DataFrame
    may_hold: pl.Expr


def paths(files: pl.DataFrame) -> list[str]:
    """Return where files are below the table; the log has their names in the form of a URL."""
    return [unquote(path) for path in files["path"]]


def listed(handle: DeltaTable) -> pl.DataFrame:
    """Return the table's files with `partition.…`, `min.…` and `max.…` of their columns."""
    files = pl.DataFrame(pa.table(handle.get_add_actions(flatten=True)))
    return files.rename({"size_bytes": "size"})


def swap(uri: str, files: pl.DataFrame, table: Table, wanted: Change) -> list[Action]:
    """Write the frames of a change, and what stays of files with rows that they replace."""
    hit, kept = without(uri, files.filter(wanted.may_hold), table, wanted.replaced)
    frames = wanted.frames if kept is None else (kept, *wanted.frames)
    return [*written(uri, table, frames), *removals(hit, table)]


def pack(uri: str, small: pl.DataFrame, table: Table) -> list[Action]:
    """Write the rows of small files into one a partition; they are the same rows as before.

    The new files are as old as the newest that they take the place of: nothing was written.
    """
    rows = _content(uri, small, table)
    assert rows is not None
    whole = rows.select(table.column_names)
    added = written(uri, table, [whole], is_change=False)
    ages = _newest(small, table)
    aged = [replace(one, modification_time=ages[_values_of(one, table)]) for one in added]
    return [*aged, *removals(small, table, is_change=False)]


def _newest(files: pl.DataFrame, table: Table) -> dict[tuple[str | None, ...], int]:
    """Return when a file of each partition was written last, in milliseconds since 1970."""
    partition = [f"partition.{name}" for name in table.partition_by]
    found = files.group_by(partition or pl.lit(value=True)).agg(pl.col("modification_time").max())
    times = found.with_columns(pl.col("modification_time").cast(pl.Datetime("ms")).cast(pl.Int64))
    return {
        tuple(str(row[name]) for name in partition): int(row["modification_time"])
        for row in times.iter_rows(named=True)
    }


def _values_of(file: AddAction, table: Table) -> tuple[str | None, ...]:
    return tuple(file.partition_values[name] for name in table.partition_by)


def commit(
    handle: DeltaTable, table: Table, actions: list[Action], properties: CommitProperties
) -> None:
    """Commit files that come and go, on the very version of the handle."""
    handle.create_write_transaction(
        actions,
        "append",
        delta_schema(table),
        list(table.partition_by),
        commit_properties=properties,
    )


def without(
    uri: str, near: pl.DataFrame, table: Table, replaced: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Return those of some files that hold a row to replace, and the other rows of these."""
    rows = _content(uri, near, table)
    if rows is None:
        return near, None
    marked = replaced.unique().with_columns(pl.lit(value=True).alias(_HIT))
    rows = rows.join(marked, on=replaced.columns, how="left")
    held = rows.filter(pl.col(_HIT)).select(_PATH).unique()
    rest = rows.filter(pl.col(_HIT).is_null(), pl.col(_PATH).is_in(held[_PATH].implode()))
    hit = near.filter(pl.col("path").is_in(held[_PATH].cast(pl.String).implode()))
    return hit, rest.select(table.column_names)


def crowded(files: pl.DataFrame, table: Table, new: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Return the small files of partitions that gained rows, where they have become many."""
    partition = [f"partition.{name}" for name in table.partition_by]
    columns = [pl.col(name).alias(f"partition.{name}") for name in table.partition_by]
    nothing = files.clear().select(partition)
    grown = pl.concat([nothing, *(frame.select(columns) for frame in new)])
    small = files.filter(pl.col("num_records") < SMALL_ROWS).join(grown, on=partition, how="semi")
    return small.filter(pl.len().over(partition) > MOST_SMALL)


def _content(uri: str, files: pl.DataFrame, table: Table) -> pl.DataFrame | None:
    if files.is_empty():
        return None
    partition = [pl.col(f"partition.{name}").alias(name) for name in table.partition_by]
    at = [f"{uri}/{path}" for path in paths(files)]
    kind = pl.Enum(files["path"].unique())
    named = files.select(*partition, pl.col("path").cast(kind).alias(_PATH), file=pl.Series(at))
    rows = pl.scan_parquet(
        at,
        include_file_paths="file",
        hive_partitioning=False,
        schema=_stored(table),
        missing_columns="insert",
    )
    return rows.join(named.lazy(), on="file").select(*table.column_names, _PATH).collect()


def _stored(table: Table) -> pl.Schema:
    """Return the columns that a file has; one of an earlier release may lack some."""
    whole = pl.DataFrame(arrow_schema(table).empty_table()).schema
    return pl.Schema({name: whole[name] for name in whole if name not in table.partition_by})


def removals(files: pl.DataFrame, table: Table, *, is_change: bool = True) -> list[RemoveAction]:
    """Return what takes files out of the table."""
    return [
        RemoveAction(
            unquote(row["path"]),
            is_change,
            now_ms(),
            row["size"],
            {name: str(row[f"partition.{name}"]) for name in table.partition_by},
        )
        for row in files.iter_rows(named=True)
    ]


def written(
    uri: str, table: Table, frames: Iterable[pl.DataFrame], *, is_change: bool = True
) -> list[AddAction]:
    """Write each frame's partitions into files of their own; return what adds them.

    Names tell apart what is new and what was only packed, for whoever looks into a folder.
    """
    kind = "part" if is_change else PACKED
    place = fs.FileSystem.from_uri(uri)
    return [
        AddAction(name, size, partition, now_ms(), is_change, statistics)
        for frame in frames
        if len(frame)
        for name, size, partition, statistics in _write(place, table, frame, kind)
    ]


def _write(
    place: tuple[fs.FileSystem, str], table: Table, frame: pl.DataFrame, kind: str
) -> Iterator[tuple[str, int, dict[str, str], str]]:
    """Yield the name, the size, the partition and the statistics of each file written."""
    store, root = place
    keys = list(table.partition_by)
    part = pl.int_range(pl.len()) // FILE_ROWS
    cut = frame.sort(table.cluster_by).with_columns(part.over(keys or pl.lit(1)).alias(_PART))
    statistics = _statistics(cut, [*keys, _PART], table)
    for values, rows in cut.partition_by([*keys, _PART], as_dict=True, include_key=False).items():
        partition = {name: str(value) for name, value in zip(keys, values, strict=False)}
        name = f"{folder(partition)}/{kind}-{uuid.uuid4()}.zstd.parquet".lstrip("/")
        size = _put(store, f"{root}/{name}", rows)
        yield name, size, partition, statistics[values]


def _put(store: fs.FileSystem, path: str, rows: pl.DataFrame) -> int:
    buffer = io.BytesIO()
    rows.write_parquet(buffer, compression="zstd", compression_level=1)
    store.create_dir(path.rpartition("/")[0])
    with store.open_output_stream(path) as file:
        file.write(buffer.getbuffer())
    return buffer.tell()


def folder(partition: dict[str, str]) -> str:
    """Return the folder that readers take the partition's values from."""
    return "/".join(f"{name}={quote(value, safe='')}" for name, value in partition.items())


def _statistics(
    frame: pl.DataFrame, keys: list[str], table: Table
) -> dict[tuple[object, ...], str]:
    """Return the statistics of each file in Delta's JSON, by partition and part."""
    names = [
        name
        for name in table.statistics
        if name not in table.partition_by and frame.schema[name] != pl.Boolean
    ]
    found = frame.group_by(keys).agg(
        pl.len().alias("rows"),
        pl.struct(pl.col(names).min()).alias("least"),
        pl.struct(pl.col(names).max()).alias("greatest"),
        pl.struct(pl.col(names).null_count()).alias("nulls"),
    )
    return {
        tuple(row[name] for name in keys): json.dumps(
            {
                "numRecords": row["rows"],
                "minValues": _values(row["least"]),
                "maxValues": _values(row["greatest"]),
                "nullCount": row["nulls"],
            }
        )
        for row in found.iter_rows(named=True)
    }


def _values(said: dict[str, object]) -> dict[str, object]:
    return {name: _plain(value) for name, value in said.items() if value is not None}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return str(value) if isinstance(value, date) else value


def is_append(commit: Mapping[str, object]) -> bool:
    """Tell whether a commit of a table's history only appended rows."""
    parameters = commit.get("operationParameters")
    is_written = isinstance(parameters, Mapping) and parameters.get("mode") == "Append"
    return is_written and PACKED not in commit


def now_ms() -> int:
    """Return the time of now, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000
