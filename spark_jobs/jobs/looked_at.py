"""What a job has looked at of its tables, noted in a file: what is new since is told by that.

The ages of files do not tell: clocks are set back, and a file that packs others is as old as the
newest of them. The log does, and where it has been shortened how many rows each date has.
"""

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from datetime import date
from pathlib import Path
from typing import TypedDict

import orjson
import polars as pl
from deltalake import DeltaTable

from edge.durable_files import replace_durably
from spark_jobs.jobs.partitions import date_column
from spark_jobs.new_files import changes
from spark_jobs.table_files import listed
from telemetry.tables import Table


@dataclass(frozen=True, slots=True)
class Looked:
    """A version of a table, and how many rows each date had that it is partitioned by."""

    table_id: str
    version: int
    rows: Mapping[str, int]


def look(handle: DeltaTable, table: Table, files: pl.DataFrame | None = None) -> Looked:
    """Return what a table is at the handle's version; `files` are those of it, if known."""
    found = listed(handle) if files is None else files
    dated = f"partition.{date_column(table)}"
    rows = found.group_by(pl.col(dated).cast(pl.String)).agg(pl.col("num_records").sum())
    return Looked(str(handle.metadata().id), handle.version(), dict(rows.iter_rows()))


def new_dates(handle: DeltaTable, table: Table, before: Looked | None, now: Looked) -> set[date]:
    """Return the dates whose rows are not all those that were looked at before (None: none was)."""
    if before is None or before.table_id != now.table_id:
        return _dates(now.rows)
    try:
        dated = str(date_column(table))
        found = changes(handle, before.version, now.version)
        return _dates(one.partition[dated] for one in found if one.came)
    except FileNotFoundError:
        return changed_dates(before, now)


def changed_dates(before: Looked, now: Looked) -> set[date]:
    """Return the dates that have another number of rows."""
    names = before.rows.keys() | now.rows.keys()
    return _dates(name for name in names if before.rows.get(name) != now.rows.get(name))


def _dates(names: Iterable[str]) -> set[date]:
    return {date.fromisoformat(name) for name in names}


class Note:
    """The file: what was looked at by table, and words of the job's own beside."""

    def __init__(self, path: Path) -> None:
        self._path = path
        found = _read(path)
        self.tables = {name: Looked(*said) for name, said in found.get("tables", {}).items()}
        self.words: Mapping[str, list[str]] = found.get("words", {})

    def keep(self, tables: Mapping[str, Looked], words: Mapping[str, list[str]]) -> None:
        """Replace the file durably."""
        said = {"tables": {name: astuple(one) for name, one in tables.items()}, "words": words}
        replace_durably(self._path, orjson.dumps(said))


class _Said(TypedDict, total=False):
    tables: dict[str, tuple[str, int, dict[str, int]]]
    words: dict[str, list[str]]


def _read(path: Path) -> _Said:
    try:
        found: _Said = orjson.loads(path.read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        # Without a note a job does too much, never too little.
        return {}
    return found
