"""Checksums of a table's versions, which spare Spark the log: what the table is, and how large.

Spark's source asks for the newest version before each batch, and without this file runs a job over
the log's JSON to learn the version's metadata. Delta Transaction Log Protocol, "Version Checksum
File"; delta-rs writes none.

A reader that lists the log while a version is made may see its checksum and not its entry, which
was made just before: the folder is not listed at one moment. delta-rs's kernel takes that for an
error, so a checksum comes after longer than a listing takes.
"""

import json
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.transaction import AddAction
from pyarrow import fs

from edge.log_looks import seen
from telemetry.tables import LATE, READINGS, Table

STREAMED = (READINGS, LATE)
"""Tables that gold and scoring read as streams."""
KEPT = 20
AFTER_S = 0.1
_Entry = tuple[int | None, int | None]
_NONE: _Entry = (None, None)
log = logging.getLogger(__name__)


class Checksums:
    """Writes the checksums of tables that are streamed, as their writer appends."""

    def __init__(self, after_s: float = AFTER_S) -> None:
        self._later = _Later(after_s)
        self._of: dict[str, VersionChecksums] = {}

    def note(
        self, uri: str, table: Table, handle: DeltaTable, before: int, added: Sequence[AddAction]
    ) -> None:
        """Write the checksum of the newest version, which `added` made of version `before`."""
        if table in STREAMED:
            self._at(uri).note(handle, before, added)

    def note_appended(
        self,
        uri: str,
        table: Table,
        version: int,
        added: Sequence[AddAction],
        look: Callable[[], DeltaTable],
    ) -> None:
        """Write the checksum of a version that `added` made of the one before it.

        `look` returns the table at its newest version, where that has to be counted.
        """
        if table not in STREAMED:
            return
        of_table = self._at(uri)
        if not of_table.note_next(version, added):
            of_table.note(look(), version - 1, added)

    def _at(self, uri: str) -> "VersionChecksums":
        return self._of.setdefault(uri, VersionChecksums(uri, self._later))


class _Later:
    """Does things some time after they were asked for, one after the other, on its own thread."""

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checksums")

    def do(self, work: Callable[[], None]) -> None:
        """Have work done after a while; a process that is ending takes on no more."""
        due = time.monotonic() + self._after_s

        def wait() -> None:
            time.sleep(max(0.0, due - time.monotonic()))
            work()

        with suppress(RuntimeError):
            self._thread.submit(wait)


class VersionChecksums:
    """Writes the checksums of one table; a table without them is whole."""

    def __init__(self, uri: str, later: _Later) -> None:
        self._uri, self._later = uri, later
        self._version, self._files, self._bytes = -1, 0, 0
        self._about: dict[str, object] = {}
        self._written: deque[int] = deque()

    def note(self, handle: DeltaTable, before: int, added: Sequence[AddAction]) -> None:
        """Write the checksum of the newest version, which `added` made of version `before`."""
        seen(handle.update_incremental)
        version = handle.version()
        if self._version == before and version == before + 1:
            self._count(added)
        else:
            files = pl.DataFrame(pa.table(handle.get_add_actions()))
            self._files, self._bytes = files.height, int(files["size_bytes"].sum())
        self._about = _about(handle)
        self._write(version)

    def note_next(self, version: int, added: Sequence[AddAction]) -> bool:
        """Write the checksum of a version that only adds files to the last one noted."""
        if version != self._version + 1 or not self._about:
            return False
        self._count(added)
        self._write(version)
        return True

    def _count(self, added: Sequence[AddAction]) -> None:
        self._files += len(added)
        self._bytes += sum(file.size for file in added)

    def _write(self, version: int) -> None:
        self._version = version
        said = {"tableSizeBytes": self._bytes, "numFiles": self._files, **self._about}
        entry = self._entry(version)
        self._later.do(lambda: self._put(version, entry, json.dumps(said).encode()))

    def _put(self, version: int, entry: _Entry, said: bytes) -> None:
        if version != self._version:
            # Spark asks for the newest version's alone.
            return
        try:
            # By now another table may be there, put back or made anew, which lacks the version.
            if entry != _NONE and self._entry(version) == entry:
                self._put_newest(version, said)
        except OSError as error:
            log.warning("%s has no checksum of version %d: %s", self._uri, version, error)

    def _entry(self, version: int) -> _Entry:
        """Return what tells a version's entry from one of another table; of no file, nothing."""
        store, root = fs.FileSystem.from_uri(self._uri)
        (found,) = store.get_file_info([_path(root, version, "json")])
        return found.size, found.mtime_ns

    def _put_newest(self, version: int, said: bytes) -> None:
        store, root = fs.FileSystem.from_uri(self._uri)
        with store.open_output_stream(_path(root, version)) as file:
            file.write(said)
        self._written.append(version)
        # Who reads an old version can do without, and nobody else would delete them.
        while self._written[0] <= version - KEPT:
            store.delete_file(_path(root, self._written.popleft()))


def _about(handle: DeltaTable) -> dict[str, object]:
    """Return what a checksum says of the table beside its size."""
    metadata, protocol = handle.metadata(), handle.protocol()
    return {
        "numMetadata": 1,
        "numProtocol": 1,
        "metadata": {
            "id": str(metadata.id),
            "name": metadata.name,
            "description": metadata.description,
            "format": {"provider": "parquet", "options": {}},
            "schemaString": handle.schema().to_json(),
            "partitionColumns": metadata.partition_columns,
            "configuration": metadata.configuration,
            "createdTime": metadata.created_time,
        },
        "protocol": {
            "minReaderVersion": protocol.min_reader_version,
            "minWriterVersion": protocol.min_writer_version,
        },
    }


def _path(root: str, version: int, kind: str = "crc") -> str:
    return f"{root}/_delta_log/{version:020d}.{kind}"
