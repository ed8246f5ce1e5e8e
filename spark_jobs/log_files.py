"""A table's log: who deletes its old entries, and when.

A commit lists the whole log, of a local folder at least: 3 us of CPU an entry. delta-rs would look
for entries to delete after each commit as well, 7 us an entry: in a log that a day of commits has
filled, one a second, that is most of a second.
"""

import re
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from deltalake import DeltaTable, PostCommitHookProperties
from pyarrow import fs

TIDIED_EVERY = 500
_ENTRY = re.compile(r"(\d{20})\.(json|crc|checkpoint\.parquet|checkpoint\.\d+\.\d+\.parquet)")
_CHECKPOINT = ".checkpoint.parquet"


class AtVersion(Protocol):
    """A table, as one version of it."""

    def version(self) -> int:
        """Return which."""


def hooks(handle: AtVersion) -> PostCommitHookProperties:
    """Say what a commit on this version does beside: seldom, delete what the table's age allows.

    Our own appends leave it to delta-rs. Whether age allows anything is the table's own property:
    with None delta-rs asks that.
    """
    looks = None if is_tidied_after(handle.version()) else False
    return PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=looks)


def is_tidied_after(version: int) -> bool:
    """Tell whether the commit that follows a version looks for old entries; it is one in many."""
    return (version + 2) % TIDIED_EVERY == 0


def local_log(handle: DeltaTable) -> Path | None:
    """Return the folder of a table's log; None: it is not on this machine."""
    scheme, _, folder = handle.table_uri.partition("://")
    return Path(folder) / "_delta_log" if scheme == "file" else None


def is_newest(handle: DeltaTable) -> bool:
    """Tell that no version follows, without a look at the whole log; False where that needs one.

    Versions follow one another without a gap, and old entries go before newer ones.
    """
    log, version = local_log(handle), handle.version()
    if log is None:
        return False
    is_there, is_followed = ((log / f"{at:020d}.json").exists() for at in (version, version + 1))
    return is_there and not is_followed


def is_there(handle: DeltaTable) -> bool:
    """Tell whether the table still has this version: its folder may have been deleted since."""
    log = local_log(handle)
    return log is None or (log / f"{handle.version():020d}.json").exists()


def can_go_on(handle: DeltaTable, version: int) -> bool:
    """Tell whether a stream can go on with a version: it is in the log, or will be the next one."""
    newest = handle.version()
    if version > newest:
        return version == newest + 1
    store, root = fs.FileSystem.from_uri(handle.table_uri.rstrip("/"))
    (entry,) = store.get_file_info([f"{root}/_delta_log/{version:020d}.json"])
    return bool(entry.type == fs.FileType.File)


def trim(handle: DeltaTable, keep_from: int) -> int:
    """Delete entries that no version from `keep_from` on needs; return how many.

    A checkpoint stays, the newest at that version or before it, and all behind it.
    """
    store, root = fs.FileSystem.from_uri(handle.table_uri.rstrip("/"))
    versions = {}
    for info in store.get_file_info(fs.FileSelector(f"{root}/_delta_log")):
        if entry := _ENTRY.fullmatch(info.base_name):
            versions[info.path] = int(entry[1])
    checkpoints = [at for path, at in versions.items() if path.endswith(_CHECKPOINT)]
    first = max((at for at in checkpoints if at <= keep_from), default=0)
    old = sorted((at, path) for path, at in versions.items() if at < first)
    for _, path in old:
        # Another writer may look for old entries at the same time.
        with suppress(FileNotFoundError):
            store.delete_file(path)
    return len(old)
