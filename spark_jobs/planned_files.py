"""Which files Spark has planned for a batch over Delta tables, and their rows, where one asks.

Spark's source makes a row of each Parquet row, then Arrow of the rows, a value at a time; that was
more than half of what gold cost (docs/decisions/0032). What a batch is to read stands in its
checkpoint as versions of the tables, and each version's files stand in the table's log, one JSON
file a version (Delta Transaction Log Protocol, "Delta Log Entries").
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple
from urllib.parse import unquote

import polars as pl
from pyarrow import fs

from spark_jobs.gold_state import Position
from spark_jobs.row_files import scan_files
from spark_jobs.schema import arrow_schema
from spark_jobs.table_files import is_append
from telemetry.tables import BY_NAME

FRAME_ROWS = 200_000


class NewFile(NamedTuple):
    """A file that a commit appended: where it is, its partition as the log says it, its rows."""

    uri: str
    table: str
    path: str
    partition: Mapping[str, str | None]
    rows: int


class Unread(NamedTuple):
    """A table below `uri`, and what of it to read: behind `first`, up to and with `until`."""

    uri: str
    table: str
    first: Position
    until: Position


class PlannedFiles(NamedTuple):
    """What the tasks of a batch read, and the columns that they want."""

    tasks: tuple[tuple[NewFile, ...], ...]
    columns: tuple[str, ...]

    @property
    def rows(self) -> int:
        """Count the rows of all tasks."""
        return sum(file.rows for task in self.tasks for file in task)

    def rows_of(self, numbers: Iterable[int]) -> Iterator[pl.DataFrame]:
        """Yield the rows of the tasks that have these numbers."""
        for number in numbers:
            yield from self.frames(number)

    def frames(self, task: int) -> Iterator[pl.DataFrame]:
        """Yield the rows of a task, a bearable number at a time."""
        held: list[NewFile] = []
        for file in self.tasks[task]:
            if held and sum(each.rows for each in held) + file.rows > FRAME_ROWS:
                yield from _content(held, self.columns).iter_slices(FRAME_ROWS)
                held = []
            held.append(file)
        if held:
            yield from _content(held, self.columns).iter_slices(FRAME_ROWS)


def planned_files(
    tables: Sequence[Unread], columns: Sequence[str], most_tasks: int
) -> PlannedFiles:
    """Share a batch's files out; raise `FileNotFoundError` if the log of a version is gone."""
    files = [file for one in tables for file in _appended(one)]
    tasks = min(most_tasks, -(-sum(file.rows for file in files) // FRAME_ROWS))
    return PlannedFiles(_shared_out(files, max(1, tasks)) if files else (), tuple(columns))


def _shared_out(files: Sequence[NewFile], tasks: int) -> tuple[tuple[NewFile, ...], ...]:
    """Give each file to the task that has least, the largest first."""
    shares: list[list[NewFile]] = [[] for _ in range(min(tasks, len(files)))]
    for file in sorted(files, key=lambda file: -file.rows):
        min(shares, key=lambda share: sum(each.rows for each in share)).append(file)
    return tuple(tuple(share) for share in shares)


def _appended(unread: Unread) -> Iterator[NewFile]:
    """Yield the files of commits that only appended.

    Spark's source passes over commits that took rows out. It does not know of those that put rows
    in place of none, or whose windows are made again: whoever writes them marks what they touch,
    so to read them as well would count their rows twice. A position within a version counts its
    files in the order in which they stand in the log.
    """
    store, root = fs.FileSystem.from_uri(unread.uri)
    first, until = unread.first, unread.until
    last = until.version - until.is_between_versions
    for version in range(first.version, last + 1):
        with store.open_input_stream(f"{root}/_delta_log/{version:020d}.json") as log:
            actions = [json.loads(line) for line in log.read().splitlines() if line.strip()]
        if not _is_read(actions):
            continue
        added = [action["add"] for action in actions if "add" in action]
        news = [_new_file(unread, add) for add in added if add["dataChange"]]
        begin = first.index + 1 if version == first.version and not first.is_between_versions else 0
        yield from news[begin : until.index + 1 if version == until.version else None]


def _is_read(actions: Sequence[Mapping[str, Mapping[str, object]]]) -> bool:
    took = any("remove" in action and action["remove"]["dataChange"] for action in actions)
    said = (action["commitInfo"] for action in actions if "commitInfo" in action)
    return not took and all(map(is_append, said))


def _new_file(unread: Unread, add: Mapping[str, object]) -> NewFile:
    statistics = json.loads(str(add.get("stats") or "{}"))
    partition = add["partitionValues"]
    assert isinstance(partition, Mapping)
    # A file without statistics is taken to be large: it has a frame of its own.
    rows = int(statistics.get("numRecords", FRAME_ROWS))
    return NewFile(unread.uri, unread.table, str(add["path"]), dict(partition), rows)


def _content(files: Sequence[NewFile], columns: Sequence[str]) -> pl.DataFrame:
    def kind(file: NewFile) -> tuple[str, str, list[tuple[str, str]]]:
        wanted = [(name, str(file.partition[name])) for name in file.partition if name in columns]
        return file.uri, file.table, wanted

    parts = [_alike(list(some), columns) for _, some in groupby(sorted(files, key=kind), key=kind)]
    return pl.concat(parts)


def _alike(files: Sequence[NewFile], columns: Sequence[str]) -> pl.DataFrame:
    """Return the rows of files of one table that have the same values of the columns wanted."""
    table = BY_NAME[files[0].table]
    whole = pl.DataFrame(arrow_schema(table).empty_table()).schema
    found = scan_files([f"{file.uri}/{unquote(file.path)}" for file in files], table)
    placed = {
        name: pl.lit(value or None, pl.String).cast(whole[name])
        for name, value in files[0].partition.items()
        if name in columns
    }
    return found.with_columns(**placed).select(columns).collect()
