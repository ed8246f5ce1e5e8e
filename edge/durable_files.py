"""Files that are there whole or not at all, whatever happens to the machine meanwhile."""

import os
from pathlib import Path


def replace_durably(path: Path, text: bytes) -> None:
    """Put a file in the place of what stands there; returns once it would survive."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    fsync_folder(path.parent)


def fsync_folder(folder: Path) -> None:
    """Make a folder's names survive."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def mark_of(path: Path) -> str:
    """Return a token that changes whenever the file does; costs a stat."""
    stat = path.stat()
    return f"{stat.st_ino}:{stat.st_mtime_ns}:{stat.st_size}"
