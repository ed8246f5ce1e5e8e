"""The end of a table's log on this machine, where rows are added without a look at the table.

delta-rs reads the table as it is for each commit, and again for the next one, with what the log
says of every live file: 40 ms of CPU where there are 2,500, several times a second. Rows that are
only added hang on none of them. Delta Transaction Log Protocol, "Delta Log Entries": the entry of a
version is made whole by whoever is first, and takes the place of none.
"""

import os
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import orjson
from deltalake import DeltaTable
from deltalake.transaction import AddAction

from spark_jobs.commit_info import Txn, own_words
from spark_jobs.log_files import is_tidied_after, local_log
from spark_jobs.row_files import now_ms

PLAIN_PROTOCOL = (1, 2)
"""Of a table without features of which every commit would have to say something."""
CHECKPOINT_EVERY = 100
TRIES = 50
_PATH = re.compile(r"[A-Za-z0-9_\-./=]+")
"""Of files; in others a letter is written in one way by this engine and otherwise by that."""
_FILES = (b'{"add":', b'{"remove":')


class Appended(NamedTuple):
    """Whether rows were added now, or had been before; and the version that has them."""

    is_new: bool
    version: int


class LogTail:
    """Follows one table's log, and adds to it; what needs the table is left to delta-rs."""

    def __init__(
        self, look: Callable[[], DeltaTable], make_checkpoint: Callable[[int], None]
    ) -> None:
        """Follow the table that `look` returns at its newest version.

        A version of ours that is to have a checkpoint is told to `make_checkpoint`.
        """
        self._look, self._make_checkpoint = look, make_checkpoint
        self._log: Path | None = None
        self._version, self._every, self._partition_by = -1, CHECKPOINT_EVERY, "[]"
        self._newest: dict[str, int | None] = {}

    def append(
        self, files: Callable[[], Sequence[AddAction]], txn: Txn | None, said: Mapping[str, str]
    ) -> Appended | None:
        """Add files once; None: delta-rs must, and reads what there is, or tidies the log."""
        if not self._is_followed():
            return None
        if self._has(txn):
            return Appended(is_new=False, version=self._version)
        added = files()
        if not all(_PATH.fullmatch(file.path) for file in added):
            return None
        entry = self._entry(added, txn, said)
        for _ in range(TRIES):
            if not self._is_followed() or is_tidied_after(self._version):
                return None
            if self._has(txn):
                return Appended(is_new=False, version=self._version)
            if self._put(entry):
                if txn is not None:
                    self._newest[txn.app_id] = txn.version
                if (self._version + 1) % self._every == 0:
                    self._make_checkpoint(self._version)
                return Appended(is_new=True, version=self._version)
        return None

    def _is_followed(self) -> bool:
        """Read what others have written; False where the table is another than it was."""
        if self._log is None and not self._begin():
            return False
        while (path := self._path(self._version + 1)).exists():
            if not self._read(path):
                self._log = None
                return False
            self._version += 1
        if self._path(self._version).exists():
            return True
        self._log = None
        return False

    def _begin(self) -> bool:
        handle = self._look()
        protocol, metadata = handle.protocol(), handle.metadata()
        if (protocol.min_reader_version, protocol.min_writer_version) != PLAIN_PROTOCOL:
            return False
        self._log, self._version = local_log(handle), handle.version()
        said = metadata.configuration.get("delta.checkpointInterval", CHECKPOINT_EVERY)
        self._every = int(said)
        self._partition_by = orjson.dumps(metadata.partition_columns).decode()
        self._newest.clear()
        return self._log is not None

    def _read(self, path: Path) -> bool:
        """Take note of an entry's transactions; False if it says what the table is."""
        for line in path.read_bytes().splitlines():
            if line.startswith(_FILES):
                continue
            try:
                action = orjson.loads(line)
            except orjson.JSONDecodeError:
                return False
            if "metaData" in action or "protocol" in action:
                return False
            if said := action.get("txn"):
                self._newest[said["appId"]] = int(said["version"])
        return True

    def _has(self, txn: Txn | None) -> bool:
        if txn is None:
            return False
        if txn.app_id not in self._newest:
            self._newest[txn.app_id] = self._look().transaction_version(txn.app_id)
        newest = self._newest[txn.app_id]
        return newest is not None and newest >= txn.version

    def _entry(self, files: Sequence[AddAction], txn: Txn | None, said: Mapping[str, str]) -> bytes:
        about = {
            "timestamp": now_ms(),
            "operation": "WRITE",
            "operationParameters": {"mode": "Append", "partitionBy": self._partition_by},
            "engineInfo": "headwater",
            **(own_words(said) or {}),
        }
        actions: list[dict[str, object]] = [{"commitInfo": about}]
        if txn is not None:
            once = {"appId": txn.app_id, "version": txn.version, "lastUpdated": now_ms()}
            actions.append({"txn": once})
        actions += [{"add": _said_of(file)} for file in files]
        return b"".join(orjson.dumps(action) + b"\n" for action in actions)

    def _put(self, entry: bytes) -> bool:
        """Make the next version's entry, unless another writer was faster."""
        assert self._log is not None
        aside = self._log / f"_commit_{uuid.uuid4()}.json.tmp"
        try:
            aside.write_bytes(entry)
            os.link(aside, self._path(self._version + 1))
        except FileExistsError:
            return False
        finally:
            aside.unlink(missing_ok=True)
        self._version += 1
        return True

    def _path(self, version: int) -> Path:
        assert self._log is not None
        return self._log / f"{version:020d}.json"


def _said_of(file: AddAction) -> dict[str, object]:
    return {
        "path": file.path,
        "partitionValues": file.partition_values,
        "size": file.size,
        "modificationTime": file.modification_time,
        "dataChange": file.data_change,
        "stats": file.stats,
    }
