"""Checksums of a table's versions, which spare Spark the log: what the table is, and how large.

Spark's source asks for the newest version before each batch, and without this file runs a job over
the log's JSON to learn the version's metadata. Delta Transaction Log Protocol, "Version Checksum
File"; delta-rs writes none.
"""

import json
import logging
from collections import deque
from collections.abc import Callable, Sequence

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.transaction import AddAction
from pyarrow import fs

from telemetry.tables import LATE, READINGS, Table

STREAMED = (READINGS, LATE)
"""Tables that gold and scoring read as streams."""
KEPT = 20
log = logging.getLogger(__name__)


class Checksums:
    """Writes the checksums of tables that are streamed, as their writer appends."""

    def __init__(self) -> None:
        self._of: dict[str, VersionChecksums] = {}

    def note(
        self, uri: str, table: Table, handle: DeltaTable, before: int, added: Sequence[AddAction]
    ) -> None:
        """Write the checksum of the newest version, which `added` made of version `before`."""
        if table in STREAMED:
            self._of.setdefault(uri, VersionChecksums(uri)).note(handle, before, added)

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
        of_table = self._of.setdefault(uri, VersionChecksums(uri))
        if not of_table.note_next(version, added):
            of_table.note(look(), version - 1, added)


class VersionChecksums:
    """Writes the checksums of one table; a table without them is whole."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._version, self._files, self._bytes = -1, 0, 0
        self._about: dict[str, object] = {}
        self._written: deque[int] = deque()

    def note(self, handle: DeltaTable, before: int, added: Sequence[AddAction]) -> None:
        """Write the checksum of the newest version, which `added` made of version `before`."""
        handle.update_incremental()
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
        try:
            self._put(version, json.dumps(said).encode())
        except OSError as error:
            log.warning("%s has no checksum of version %d: %s", self._uri, version, error)

    def _put(self, version: int, said: bytes) -> None:
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


def _path(root: str, version: int) -> str:
    return f"{root}/_delta_log/{version:020d}.crc"
