"""Folders watched by the kernel: a file's name is there microseconds after the file."""

import ctypes
import os
import select
import struct
import time
from collections.abc import Iterator
from pathlib import Path

CREATED, MOVED_IN = 0x100, 0x80
_IS_FOLDER = 0x40000000
_HEAD = struct.Struct("iIII")
_BUFFER = 64 * 1024


class FolderWatch:
    """Tells the files that appear in folders and in all folders below them, new ones too."""

    def __init__(self, folders: list[Path]) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._handle: int = self._libc.inotify_init()
        self._folders: dict[int, Path] = {}
        for folder in folders:
            self._add(folder)

    def _add(self, folder: Path) -> None:
        number = self._libc.inotify_add_watch(self._handle, os.fsencode(folder), CREATED | MOVED_IN)
        if number < 0:
            raise OSError(ctypes.get_errno(), f"cannot watch {folder}")
        self._folders[number] = folder
        for below in folder.iterdir():
            if below.is_dir():
                self._add(below)

    def appeared(self, within_s: float) -> Iterator[Path]:
        """Yield what appears until the time is over: both the making of a file and its renaming."""
        until = time.monotonic() + within_s
        while (left := until - time.monotonic()) > 0:
            if select.select([self._handle], [], [], left)[0]:
                yield from self._read()

    def _read(self) -> Iterator[Path]:
        events, at = os.read(self._handle, _BUFFER), 0
        while at < len(events):
            number, mask, _, length = _HEAD.unpack_from(events, at)
            name = events[at + _HEAD.size : at + _HEAD.size + length].rstrip(b"\0")
            at += _HEAD.size + length
            path = self._folders[number] / os.fsdecode(name)
            yield path
            if mask & _IS_FOLDER:
                self._add(path)
