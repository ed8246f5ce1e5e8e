"""What landing remembers, at rest: so that a start reads only what silver gained since."""

import logging
import os
import time
import zlib
from pathlib import Path

import msgspec

from spark_jobs.dedup.index import PackedIndex

EVERY_S = 60.0
SHARE = 20
MAGIC = b"hwmemory"
log = logging.getLogger(__name__)


class Saved(msgspec.Struct, frozen=True):
    """The memory as of a moment, and of versions of the tables: what came later is not in it."""

    at: float
    index: PackedIndex
    landed: list[tuple[str, int, int]]
    received: list[tuple[str, str | None, int]]
    versions: dict[str, int] = {}


class MemoryFile:
    """One file, replaced atomically; without it the memory is built from all of silver."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._next_at = time.monotonic() + EVERY_S

    def load(self) -> Saved | None:
        """Return what was saved last."""
        try:
            return msgspec.msgpack.decode(_checked(self._path.read_bytes()), type=Saved)
        except FileNotFoundError:
            return None
        except (msgspec.MsgspecError, ValueError) as error:
            log.warning("the memory of landing cannot be read, silver is read instead: %s", error)
            return None

    @property
    def is_due(self) -> bool:
        """Tell whether it is time to save again."""
        return time.monotonic() >= self._next_at

    def save(self, saved: Saved) -> None:
        """Replace the file; the larger the memory, the rarer it is due."""
        began = time.monotonic()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".new")
        with temporary.open("wb") as file:
            content = msgspec.msgpack.encode(saved)
            file.write(MAGIC + zlib.crc32(content).to_bytes(4))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)
        now = time.monotonic()
        self._next_at = now + max(EVERY_S, SHARE * (now - began))


def _checked(content: bytes) -> memoryview:
    """Return what was saved behind its checksum; raise ValueError if a byte is another one."""
    whole = memoryview(content)
    if not content.startswith(MAGIC):
        return whole
    said, saved = whole[len(MAGIC) : len(MAGIC) + 4], whole[len(MAGIC) + 4 :]
    if int.from_bytes(said) != zlib.crc32(saved):
        raise ValueError("its checksum does not fit")
    return saved
