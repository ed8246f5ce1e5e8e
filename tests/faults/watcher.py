"""The killer: waits outside our code for a file to appear, and kills a process group by SIGKILL.

`python -m tests.faults.watcher HOME POINT NTH PID WITHIN_S`; says READY, then what it did, as JSON.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from tests.faults.inotify import FolderWatch
from tests.faults.points import POINTS, Point

TIME_IS_OVER = 3


def wait(watch: FolderWatch, folder: Path, point: Point, nth: int, within_s: float) -> str | None:
    """Return the path of the nth file that fits, or None if the time was over before."""
    seen = 0
    for path in watch.appeared(within_s):
        name = path.relative_to(folder).as_posix()
        if point.fits(name):
            seen += 1
            if seen == nth:
                return name
    return None


def main() -> int:
    """Wait, kill, tell."""
    home, name, nth, pid, within_s = sys.argv[1:]
    point = POINTS[name]
    folder = Path(home) / point.folder
    group = os.getpgid(int(pid))
    watch = FolderWatch([folder])
    sys.stdout.write("READY\n")
    sys.stdout.flush()
    file = wait(watch, folder, point, int(nth), float(within_s))
    if file is None:
        return TIME_IS_OVER
    os.killpg(group, signal.SIGKILL)
    sys.stdout.write(json.dumps({"at": time.time(), "file": file}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
