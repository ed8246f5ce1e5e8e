"""A lock a writer: landing's and gold's memory belong to one process at a time, on one machine."""

import fcntl
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from spark_jobs.refusal import InUseError
from telemetry.settings import Settings

BEAT_S = 15.0
SILENT_S = 60.0
"""A holder on another machine that has not shown itself for so long is taken for dead."""
log = logging.getLogger(__name__)


class Owner:
    """The lock of `landing` or `gold`, taken and released as often as need be.

    The kernel frees it with its holder. It may not reach other machines that share the folder, so
    the file says who holds it, and its age when the holder was last alive.
    """

    def __init__(self, settings: Settings, name: str, host: str | None = None) -> None:
        self._path = settings.checkpoint_dir / f"{name}.lock"
        self._name = name
        self._host = host or socket.gethostname()
        self._file: TextIO | None = None
        self._released = threading.Event()

    def take(self) -> None:
        """Take the lock unless it is held here already; raise if another process has it.

        What is held of a file that was deleted keeps nobody out.
        """
        if self._file is not None and self._is_there(self._file):
            return
        self.release()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._refuse_elsewhere()
        except BlockingIOError as error:
            file.close()
            raise self._in_use("another process", _holder(self._path)) from error
        except InUseError:
            file.close()
            raise
        self._file, self._released = file, threading.Event()
        self._say({"host": self._host, "pid": os.getpid()})
        threading.Thread(target=self._beat, args=(self._released,), daemon=True).start()

    def release(self) -> None:
        """Let others take it."""
        if self._file is not None:
            self._released.set()
            self._say(None)
            self._file.close()
            self._file = None

    def _is_there(self, file: TextIO) -> bool:
        try:
            return os.path.samestat(os.fstat(file.fileno()), self._path.stat())
        except FileNotFoundError:
            return False

    def _refuse_elsewhere(self) -> None:
        holder = _holder(self._path)
        if holder.get("host", self._host) == self._host:
            return
        if time.time() - self._path.stat().st_mtime < SILENT_S:
            raise self._in_use("another machine", holder)

    def _in_use(self, where: str, holder: dict[str, object]) -> InUseError:
        who = f" (pid {holder['pid']} on {holder['host']})" if holder else ""
        ends = f", or by `kill {holder['pid']}` where it is of no stack," if holder else ""
        return InUseError(
            "CHECKPOINT_IN_USE",
            f"{self._name} runs already in {where}{who}: end it by `headwater down`{ends} or wait"
            " until it has ended",
        )

    def _say(self, holder: dict[str, object] | None) -> None:
        """Write who holds the lock; a full disk must not keep it from being held."""
        assert self._file is not None
        try:
            self._file.truncate(0)
            self._file.write(json.dumps(holder) if holder else "")
            self._file.flush()
        except OSError as error:
            log.warning("%s does not say who holds it: %s", self._path, error)

    def _beat(self, released: threading.Event) -> None:
        while not released.wait(BEAT_S):
            try:
                os.utime(self._path)
            except OSError as error:
                log.warning("%s does not show that it is held: %s", self._path, error)


def _holder(path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and {"pid", "host"} <= set(found) else {}


@contextmanager
def alone(settings: Settings, name: str) -> Iterator[None]:
    """Hold the lock of `landing` or `gold`; raise if another process does."""
    owner = Owner(settings, name)
    owner.take()
    try:
        yield
    finally:
        owner.release()
