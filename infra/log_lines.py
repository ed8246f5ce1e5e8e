"""Lines of a log that is being written and rotated."""

import os
import time
from collections import deque
from collections.abc import Generator
from pathlib import Path
from typing import TextIO

POLL_S = 0.3


def last_lines(path: Path, count: int) -> list[str]:
    """Return the last lines of a log, of its predecessor too where it was just rotated."""
    lines: deque[str] = deque(maxlen=max(count, 0))
    for each in (path.with_name(f"{path.name}.1"), path):
        if each.exists():
            with _open(each) as log:
                lines.extend(line.rstrip("\n") for line in log)
    return list(lines)


def follow(path: Path) -> Generator[str, None, None]:
    """Return lines as they come, from now on; a log that is rotated is opened anew."""
    log = _open(path)
    log.seek(0, os.SEEK_END)
    return _lines(path, log)


def _lines(path: Path, log: TextIO) -> Generator[str, None, None]:
    line = ""
    try:
        while True:
            line += log.readline()
            if line.endswith("\n"):
                yield line.rstrip("\n")
                line = ""
            elif path.exists() and os.fstat(log.fileno()).st_ino != path.stat().st_ino:
                log.close()
                log = _open(path)
            else:
                time.sleep(POLL_S)
    finally:
        log.close()


def _open(path: Path) -> TextIO:
    return path.open(encoding="utf-8", errors="replace")
