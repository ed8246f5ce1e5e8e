"""Lines of a log that is being written and rotated."""

import os
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

POLL_S = 0.3


def last_lines(path: Path, count: int) -> list[str]:
    """Return the last lines of a log, of its predecessor too where it was just rotated."""
    lines: deque[str] = deque(maxlen=max(count, 0))
    for each in (path.with_name(f"{path.name}.1"), path):
        if each.exists():
            with each.open(encoding="utf-8", errors="replace") as log:
                lines.extend(line.rstrip("\n") for line in log)
    return list(lines)


def follow(path: Path) -> Iterator[str]:
    """Yield lines as they come, from now on; a log that is rotated is opened anew."""
    log = path.open(encoding="utf-8", errors="replace")
    log.seek(0, os.SEEK_END)
    while True:
        line = log.readline()
        if line:
            yield line.rstrip("\n")
        elif path.exists() and os.fstat(log.fileno()).st_ino != path.stat().st_ino:
            log.close()
            log = path.open(encoding="utf-8", errors="replace")
        else:
            time.sleep(POLL_S)
