"""Whether a file of a checkpoint is as Spark wrote it."""

import json
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CRC_MAGIC = b"crc\0"
_MOST_SUMMED = 2**20
"""Bytes of one checksum: Hadoop has 512, and takes so much memory at once as is said."""
_VERSION = re.compile(r"\0?v\d+\Z")


class Damage(NamedTuple):
    """What is wrong: a stable code, and the file concerned in words."""

    code: str
    said: str


def file_damages(path: Path, *, is_log: bool) -> Iterator[Damage]:
    """Yield what is wrong with a file of Spark's: a log of versions and lines, or one object."""
    if path.is_dir():
        yield Damage("CHECKPOINT_FILE_UNREADABLE", f"{path} is a folder")
        return
    content = path.read_bytes()
    if not content.strip():
        yield Damage("CHECKPOINT_FILE_EMPTY", f"{path} is empty")
    elif not _fits_checksum(path, content):
        yield Damage("CHECKPOINT_FILE_ALTERED", f"{path} is not as it was written (its checksum)")
    elif not (_is_log(content) if is_log else _is_json(content)):
        yield Damage("CHECKPOINT_FILE_UNREADABLE", f"{path} cannot be read")


def _fits_checksum(path: Path, content: bytes) -> bool:
    """Hold a file against the checksums that Hadoop keeps beside it, where it does."""
    beside = path.with_name(f".{path.name}.crc")
    if not beside.exists():
        return True
    said = beside.read_bytes()
    if len(said) < 8 or said[:4] != CRC_MAGIC:
        return False
    (size,) = struct.unpack(">i", said[4:8])
    if not 1 <= size <= _MOST_SUMMED:
        return False
    pieces = (content[start : start + size] for start in range(0, len(content), size))
    return said[8:] == b"".join(struct.pack(">I", zlib.crc32(piece)) for piece in pieces)


def _is_log(content: bytes) -> bool:
    """Tell whether this is a version and lines of JSON; a source that has none writes `-`."""
    try:
        version, *lines = content.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        return False
    # The Kafka source writes no line break behind its version's predecessor.
    return bool(_VERSION.match(version)) and all(
        line in ("", "-", "0") or _is_json(line.encode()) for line in lines
    )


def _is_json(content: bytes) -> bool:
    try:
        return isinstance(json.loads(content), dict)
    except ValueError:
        return False
