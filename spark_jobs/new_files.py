"""Files of a Delta table that hold rows which an earlier version had not.

Their times do not tell: a file may be written long before it is committed. The log does. A file
that only packs others is new where one of those was (Delta Transaction Log Protocol, "Add File and
Remove File", `dataChange`).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote

import polars as pl
from deltalake import DeltaTable
from pyarrow import fs

from spark_jobs.table_files import listed

Action = Mapping[str, Mapping[str, object]]


class Changed(NamedTuple):
    """A file that came with rows, or went with them."""

    came: bool
    partition: Mapping[str, str]
    statistics: str | None
    """Delta's JSON; of a file that went there is none."""


def files_since(handle: DeltaTable, version: int | None) -> pl.DataFrame:
    """Return the files with rows newer than a version; all of them where the log forgot it."""
    files = listed(handle)
    if version is None or version > handle.version():
        return files
    try:
        paths = _added(handle, version)
    except FileNotFoundError:
        return files
    is_new = [unquote(path) in paths for path in files["path"]]
    return files.filter(pl.Series(is_new, dtype=pl.Boolean))


def changes(handle: DeltaTable, version: int, until: int) -> Iterator[Changed]:
    """Yield the files that came or went with rows behind a version, until another.

    What only packs files or sorts them changes no row. Raise FileNotFoundError where the log has
    forgotten some of it, or has not come so far.
    """
    if version > until:
        raise FileNotFoundError(f"there is no version {version} yet")
    for actions in _commits(handle, version, until):
        for kind in ("add", "remove"):
            for action in _of(actions, kind):
                partition = action.get("partitionValues")
                if action.get("dataChange", True) and isinstance(partition, Mapping):
                    said = action.get("stats")
                    statistics = said if isinstance(said, str) else None
                    yield Changed(kind == "add", partition, statistics)


def _added(handle: DeltaTable, version: int) -> set[str]:
    """Follow the log from behind a version to the handle's; return the paths of new rows."""
    found: dict[str, object] = {}
    for actions in _commits(handle, version, handle.version()):
        gone = [unquote(str(one["path"])) for one in _of(actions, "remove")]
        packed = [found.pop(path) for path in gone if path in found]
        for add in _of(actions, "add"):
            partition = add["partitionValues"]
            if add["dataChange"] or partition in packed:
                found[unquote(str(add["path"]))] = partition
    return set(found)


def _of(actions: Sequence[Action], kind: str) -> list[Mapping[str, object]]:
    return [action[kind] for action in actions if kind in action]


def _commits(handle: DeltaTable, version: int, until: int) -> Iterator[list[Action]]:
    store, root = fs.FileSystem.from_uri(handle.table_uri.rstrip("/"))
    for number in range(version + 1, until + 1):
        with store.open_input_stream(f"{root}/_delta_log/{number:020d}.json") as log:
            yield [json.loads(line) for line in log.read().splitlines() if line.strip()]
