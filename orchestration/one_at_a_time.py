"""Runs a command under a lock that lives as long as the command, whoever started it is killed."""

import fcntl
import os
import sys
import time
from pathlib import Path

POLL_S = 0.5


def command(lock: Path, wait_s: float, inner: list[str]) -> list[str]:
    """Return the command line that runs `inner` once it alone holds `lock`."""
    return [sys.executable, "-m", "orchestration.one_at_a_time", str(lock), str(wait_s), *inner]


def main(lock: str, wait_s: str, *inner: str) -> None:
    """Take the lock, then become the command; the lock stays with its process."""
    path = Path(lock)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    if not _locked(descriptor, time.monotonic() + float(wait_s)):
        sys.exit(f"error: another job still runs and holds {path}: wait for it or stop it")
    os.set_inheritable(descriptor, True)
    os.execvp(inner[0], inner)  # noqa: S606 (a list of our own arguments)


def _locked(descriptor: int, deadline: float) -> bool:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
