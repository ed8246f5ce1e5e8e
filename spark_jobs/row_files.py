"""Rows of a table's files: writing them with their statistics, and reading them back."""

import io
import json
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

import polars as pl
from deltalake.transaction import AddAction
from pyarrow import fs

from spark_jobs.bounds import greatest, least
from spark_jobs.schema import arrow_schema
from telemetry.tables import Table

FILE_ROWS = 1_000_000
RECENT_ROWS = 150_000
PACKED = "packed"
"""In a commit's info: how many files it made one, and that it changed no row."""
PATH = "file path"
_PART = "file part"


class RecentFiles:
    """Rows of the files written last, by where they are: a file never changes once it is there.

    A table that is written at its newest end every few seconds is so not read as often.
    """

    def __init__(self, most_rows: int = RECENT_ROWS) -> None:
        self._most_rows, self._held = most_rows, 0
        self._rows: OrderedDict[str, pl.DataFrame] = OrderedDict()

    def note(self, path: str, rows: pl.DataFrame) -> None:
        """Keep the rows of a file, and forget those written first beyond what may be held."""
        self._rows[path] = rows
        self._held += len(rows)
        while self._held > self._most_rows:
            self._held -= len(self._rows.popitem(last=False)[1])

    def get(self, path: str) -> pl.DataFrame | None:
        """Return the rows of a file if they are kept."""
        return self._rows.get(path)


@dataclass(frozen=True, slots=True)
class RowFiles:
    """The files of one table below `uri`."""

    uri: str
    table: Table
    recent: RecentFiles

    def read(self, files: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of listed files, the path of each row's file (`PATH`) beside."""
        kept = {path: self.recent.get(f"{self.uri}/{unquote(path)}") for path in files["path"]}
        found = [
            rows.with_columns(pl.lit(path).alias(PATH))
            for path, rows in kept.items()
            if rows is not None
        ]
        others = files.filter(pl.col("path").is_in([path for path in kept if kept[path] is None]))
        return pl.concat([self._stored(others), *found])

    def _stored(self, files: pl.DataFrame) -> pl.DataFrame:
        if files.is_empty():
            nothing = pl.DataFrame(arrow_schema(self.table).empty_table())
            return nothing.with_columns(pl.lit("").alias(PATH))
        partition = [pl.col(f"partition.{name}").alias(name) for name in self.table.partition_by]
        at = [f"{self.uri}/{unquote(path)}" for path in files["path"]]
        named = files.select(*partition, pl.col("path").alias(PATH), file=pl.Series(at))
        whole = scan_files(at, self.table, path_as="file").join(named.lazy(), on="file")
        return whole.select(*self.table.column_names, PATH).collect()

    def write(self, frames: Iterable[pl.DataFrame], *, is_change: bool = True) -> list[AddAction]:
        """Write each frame's partitions into files of their own; return what adds them.

        Names tell apart what is new and what was only packed, for whoever looks into a folder.
        """
        kind = "part" if is_change else PACKED
        place = fs.FileSystem.from_uri(self.uri)
        return [
            AddAction(name, size, partition, now_ms(), is_change, statistics)
            for frame in frames
            if len(frame)
            for name, size, partition, statistics in self._write(place, frame, kind)
        ]

    def _write(
        self, place: tuple[fs.FileSystem, str], frame: pl.DataFrame, kind: str
    ) -> Iterator[tuple[str, int, dict[str, str], str]]:
        """Yield the name, the size, the partition and the statistics of each file written."""
        store, root = place
        keys = list(self.table.partition_by)
        part = pl.int_range(pl.len()) // FILE_ROWS
        ordered = frame.sort(self.table.cluster_by)
        cut = ordered.with_columns(part.over(keys or pl.lit(1)).alias(_PART))
        statistics = _statistics(cut, [*keys, _PART], self.table)
        for values, rows in cut.partition_by([*keys, _PART], as_dict=True).items():
            partition = {name: str(value) for name, value in zip(keys, values, strict=False)}
            name = f"{folder(partition)}/{kind}-{uuid.uuid4()}.zstd.parquet".lstrip("/")
            size = _put(store, f"{root}/{name}", rows.drop(*keys, _PART))
            self.recent.note(f"{self.uri}/{name}", rows.select(self.table.column_names))
            yield name, size, partition, statistics[values]


def scan_files(at: Sequence[str], table: Table, path_as: str | None = None) -> pl.LazyFrame:
    """Return the rows of a table's files, without the columns that it is partitioned by.

    A file of an earlier release may lack some; one that Spark wrote may have the partition's too.
    """
    whole = pl.DataFrame(arrow_schema(table).empty_table()).schema
    stored = {name: whole[name] for name in whole if name not in table.partition_by}
    return pl.scan_parquet(
        list(at),
        include_file_paths=path_as,
        hive_partitioning=False,
        schema=pl.Schema(stored),
        missing_columns="insert",
        extra_columns="ignore",
    )


def _put(store: fs.FileSystem, path: str, rows: pl.DataFrame) -> int:
    buffer = io.BytesIO()
    rows.write_parquet(buffer, compression="zstd", compression_level=1)
    store.create_dir(path.rpartition("/")[0])
    with store.open_output_stream(path) as file:
        file.write(buffer.getbuffer())
    return buffer.tell()


def folder(partition: Mapping[str, str]) -> str:
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
    figures = [
        pl.struct(pl.col(names).min()).alias("least"),
        pl.struct(pl.col(names).max()).alias("greatest"),
        pl.struct(pl.col(names).null_count()).alias("nulls"),
    ]
    # No struct is made of no column.
    found = frame.group_by(keys).agg(pl.len().alias("rows"), *(figures if names else []))
    return {
        tuple(row[name] for name in keys): json.dumps(
            {
                "numRecords": row["rows"],
                "minValues": _values(row.get("least", {}), least),
                "maxValues": _values(row.get("greatest", {}), greatest),
                "nullCount": row.get("nulls", {}),
            }
        )
        for row in found.iter_rows(named=True)
    }


def _values(said: dict[str, object], bound: Callable[[object], object]) -> dict[str, object]:
    return {name: bound(value) for name, value in said.items() if value is not None}


def now_ms() -> int:
    """Return the time of now, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000
