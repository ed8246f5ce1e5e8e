"""Files of one Delta table: those that are there, and which come and go with a change.

Replacing by predicate in delta-rs puts the rows that stay and the new ones into one file, so a
table that is written at its newest end would rewrite all of it for ever. Here rows that stay get
a file of their own, which is not touched again until there are too many small ones.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, TypeAlias
from urllib.parse import unquote

import polars as pl
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable
from deltalake.transaction import AddAction, RemoveAction

from spark_jobs.log_files import hooks
from spark_jobs.row_files import PACKED, PATH, RowFiles, now_ms
from spark_jobs.schema import delta_schema
from telemetry.tables import Table

Action: TypeAlias = AddAction | RemoveAction
SMALL_ROWS = 100_000
MOST_SMALL = 64
RESTATED = "restated"
"""In an append: windows that its rows touch are marked, and made again from all of silver."""
_HIT = "is replaced"


class Along(NamedTuple):
    """What goes with an append: files that are written already, and a wait before the commit."""

    files: Sequence[AddAction] = ()
    wait: Callable[[], object] = bool


NOTHING_ALONG = Along()
NO_ROWS = pa.table({})
"""Of an append of nothing but what goes along."""


@dataclass(frozen=True, slots=True)
class Change:
    """Frames of rows, a file each, to put in place of the rows that equal one of `replaced`.

    `may_hold` selects the files that such rows may be in, by `partition.…`, `min.…`, `max.…`; of
    them, those that hold none are left as they are.
    """

    frames: tuple[pl.DataFrame, ...]
    replaced: pl.DataFrame
    may_hold: pl.Expr


@dataclass(frozen=True, slots=True)
class Swap:
    """Paths of files to take out of a table, and frames of rows, a file each, to put in.

    `kept` are rows of those files that stay as they are.
    """

    removed: pl.Series
    kept: Sequence[pl.DataFrame]
    frames: Sequence[pl.DataFrame]

    @property
    def rows(self) -> int:
        """Count the rows that are new or changed."""
        return sum(map(len, self.frames))


@dataclass(frozen=True)
class Snapshot:
    """One version of a table."""

    rows: RowFiles
    handle: DeltaTable

    @cached_property
    def files(self) -> pl.DataFrame:
        """Return the files of the version, as `listed` does."""
        return listed(self.handle)

    def read(self, some: pl.Series) -> pl.DataFrame:
        """Return the rows of the files at some paths, their path (`PATH`) beside."""
        return self.rows.read(self._at(some))

    def actions(self, swap: Swap) -> list[Action]:
        """Write the frames of a swap, and return what changes the table so."""
        removed = removals(self._at(swap.removed), self.rows.table)
        return [*self.rows.write([*swap.kept, *swap.frames]), *removed]

    def _at(self, some: pl.Series) -> pl.DataFrame:
        return self.files.filter(pl.col("path").is_in(some.implode()))


def has_transaction(handle: DeltaTable, app_id: str, version: int) -> bool:
    """Tell whether a version of a table holds a transaction of an application."""
    newest = handle.transaction_version(app_id)
    return newest is not None and newest >= version


def paths(files: pl.DataFrame) -> list[str]:
    """Return where files are below the table; the log has their names in the form of a URL."""
    return [unquote(path) for path in files["path"]]


def listed(handle: DeltaTable) -> pl.DataFrame:
    """Return the table's files with `partition.…`, `min.…` and `max.…` of their columns."""
    files = pl.DataFrame(pa.table(handle.get_add_actions(flatten=True)))
    return files.rename({"size_bytes": "size"})


def swap(rows: RowFiles, files: pl.DataFrame, wanted: Change) -> list[Action]:
    """Write the frames of a change, and what stays of files with rows that they replace."""
    hit, kept = without(rows, files.filter(wanted.may_hold), wanted.replaced)
    return [*rows.write((kept, *wanted.frames)), *removals(hit, rows.table)]


def pack(rows: RowFiles, small: pl.DataFrame) -> list[Action]:
    """Write the rows of small files into one a partition; they are the same rows as before."""
    found = rows.read(small).select(rows.table.column_names)
    return instead(rows.table, small, rows.write([found], is_change=False))


def instead(table: Table, files: pl.DataFrame, added: Sequence[AddAction]) -> list[Action]:
    """Return what puts files with the same rows in the place of others.

    The new files are as old as the newest that they take the place of: nothing was written.
    """
    ages = _newest(files, table)
    aged = [
        replace(one, data_change=False, modification_time=ages[_values_of(one, table)])
        for one in added
    ]
    return [*aged, *removals(files, table, is_change=False)]


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
        post_commithook_properties=hooks(handle),
    )


def without(
    rows: RowFiles, near: pl.DataFrame, replaced: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return those of some files that hold a row to replace, and the other rows of these."""
    marked = replaced.unique().with_columns(pl.lit(value=True).alias(_HIT))
    found = rows.read(near).join(marked, on=replaced.columns, how="left")
    held = found.filter(pl.col(_HIT))[PATH].unique().implode()
    rest = found.filter(pl.col(_HIT).is_null(), pl.col(PATH).is_in(held))
    return near.filter(pl.col("path").is_in(held)), rest.select(rows.table.column_names)


def crowded(files: pl.DataFrame, table: Table, new: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Return the small files of partitions that gained rows, where they have become many."""
    if files.height <= MOST_SMALL:
        return files.clear()
    partition = [f"partition.{name}" for name in table.partition_by]
    columns = [pl.col(name).alias(f"partition.{name}") for name in table.partition_by]
    nothing = files.clear().select(partition)
    grown = pl.concat([nothing, *(frame.select(columns) for frame in new)])
    small = files.filter(pl.col("num_records") < SMALL_ROWS).join(grown, on=partition, how="semi")
    return small.filter(pl.len().over(partition) > MOST_SMALL)


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


def is_append(commit: Mapping[str, object]) -> bool:
    """Tell whether a commit of a table's history only appended rows that nobody has counted."""
    parameters = commit.get("operationParameters")
    is_written = isinstance(parameters, Mapping) and parameters.get("mode") == "Append"
    return is_written and not {PACKED, RESTATED} & commit.keys()
