"""The ledger's file: appended in groups, durable before what it announces is sent."""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from telemetry.errors import HeadwaterError


class LedgerFile:
    """Appends lines; `None` for a path keeps nothing."""

    def __init__(self, path: Path | None) -> None:
        self._handle = None if path is None else _open(path)

    def announce(self, lines: str) -> None:
        """Write sent lines, and return when they are on disk."""
        if self._handle is not None:
            _write(self._handle, lines)
            os.fsync(self._handle)

    def acknowledge(self, lines: str) -> None:
        """Write ack lines; the next announcement makes them durable."""
        if self._handle is not None:
            _write(self._handle, lines)

    def close(self) -> None:
        """Make every line durable."""
        if self._handle is not None:
            os.fsync(self._handle)
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError as error:
        raise HeadwaterError(f"--ledger {path} cannot be written: {error.strerror}") from error
    size = os.fstat(handle).st_size
    if size and os.pread(handle, 1, size - 1) != b"\n":
        _write(handle, "\n")
    return handle


def _write(handle: int, lines: str) -> None:
    left = memoryview(lines.encode())
    while left:
        left = left[os.write(handle, left) :]
