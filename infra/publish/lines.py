"""Files as numbered lines: plain or gzip, of any size, in constant memory."""

import gzip
import hashlib
import re
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

LONGEST_LINE = 2_000_000
"""Bytes; a record holds at most 2 MiB with its key and headers."""
_CHUNK = 1 << 20
_LONGEST_NAME = 128
_NO_NAME = re.compile(r"[^A-Za-z0-9_:-]+")


class NumberedLine(NamedTuple):
    """A line without its newline, counted from 1."""

    number: int
    text: bytes


class BadLine(NamedTuple):
    """A line that could not be read, and why."""

    number: int
    reason: str


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to publish; `path` holds its bytes, which for stdin is a copy."""

    name: str
    path: Path
    is_gzip: bool

    @property
    def stem(self) -> str:
        """The name without folders and without every ending that says how it is written."""
        stem = Path(self.name).name
        for ending in (".gz", ".csv", ".tsv", ".txt", ".ndjson", ".jsonl", ".json"):
            stem = stem.removesuffix(ending)
        return stem

    @property
    def device(self) -> str:
        """The stem as a device's name: `_` for each run of signs that none may have."""
        return _NO_NAME.sub("_", self.stem)[:_LONGEST_NAME] or "_"

    def digest(self) -> str:
        """Return the SHA-256 of the file as it lies there, in hex."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @contextmanager
    def reading(self) -> Iterator["Reader"]:
        """Open the file for one pass."""
        with self.path.open("rb") as raw:
            yield Reader(raw, gzip.GzipFile(fileobj=raw) if self.is_gzip else raw)


class Reader:
    """One pass over a file's lines; `position` is in bytes of the file as it lies there."""

    def __init__(self, raw: BinaryIO, text: "BinaryIO | gzip.GzipFile") -> None:
        self._raw = raw
        self._text = text

    @property
    def position(self) -> int:
        """How far the pass has come."""
        return self._raw.tell()

    def lines(self) -> Iterator[NumberedLine | BadLine]:
        """Yield each line, split at the newline byte alone; a damaged gzip ends in a bad line."""
        number = 0
        try:
            while text := self._text.readline(LONGEST_LINE + 1):
                number += 1
                if text.endswith(b"\n"):
                    yield NumberedLine(number, text[:-1])
                elif len(text) <= LONGEST_LINE:
                    yield NumberedLine(number, text)
                else:
                    self._skip_line()
                    yield BadLine(number, f"longer than {LONGEST_LINE:,} bytes")
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            yield BadLine(number + 1, f"the gzip is damaged from here on: {error}")

    def _skip_line(self) -> None:
        while rest := self._text.readline(_CHUNK):
            if rest.endswith(b"\n"):
                return


@contextmanager
def source_file(name: str, *, raw: bool) -> Iterator[SourceFile]:
    """Find a file by its name; `-` is stdin. It and pipes are copied, as they are read twice."""
    path = Path(name)
    if name != "-" and path.is_file():
        yield SourceFile(name, path, name.endswith(".gz") or (not raw and _has_gzip_magic(path)))
        return
    with (
        tempfile.NamedTemporaryFile(prefix="headwater-stdin-") as copy,
        nullcontext(sys.stdin.buffer) if name == "-" else path.open("rb") as pipe,
    ):
        shutil.copyfileobj(pipe, copy)
        copy.flush()
        path = Path(copy.name)
        yield SourceFile("stdin", path, not raw and _has_gzip_magic(path))


def _has_gzip_magic(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"
