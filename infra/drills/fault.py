"""A drill's fault, noted before it is made: what a drill that was killed left is undone by that.

The note is a file in the drill's folder that its process holds locked. The kernel frees the lock
with its holder, whatever ends it.
"""

import contextlib
import fcntl
import json
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from infra.processes import DRILL_MARK, end, stack_processes
from infra.supervision.daemon import Daemon

NOTE = "fault.json"
GRACE_S = 20.0
STOP_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Fault:
    """What a drill does to its stack; its fleets are known by their mark, the folder."""

    drill: str
    does: str
    stops: tuple[str, ...]
    """Services that it has stopped for a while."""
    folder: Path

    @property
    def sentence(self) -> str:
        """Return what is wrong, and what mends it."""
        return (
            f"the drill {self.drill} was killed, and its fault may still be there (it"
            f" {self.does}): `headwater up` undoes it"
        )


@contextlib.contextmanager
def noted(fault: Fault) -> Iterator[None]:
    """Note a drill's fault for as long as the context lasts; who is killed leaves the note."""
    fault.folder.mkdir(parents=True, exist_ok=True)
    unfinished, path = fault.folder / f".{NOTE}", fault.folder / NOTE
    with unfinished.open("w") as file:
        # Locked before it can be seen: nobody takes it for one that was left behind.
        fcntl.flock(file, fcntl.LOCK_EX)
        json.dump({"drill": fault.drill, "does": fault.does, "stops": fault.stops}, file)
        file.flush()
        unfinished.replace(path)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def left_faults(home: Path) -> list[Fault]:
    """Return the faults of drills that were killed."""
    found = []
    for path in sorted(home.glob(f"drills/*/{NOTE}")):
        with contextlib.suppress(FileNotFoundError), path.open() as file:
            if _is_left_behind(file.fileno()):
                found.append(_said(file.read(), path.parent))
    return found


def _said(note: str, folder: Path) -> Fault:
    """Return what a note says; one that a loss of power has emptied is known by its folder."""
    try:
        said = json.loads(note)
        return Fault(said["drill"], said["does"], tuple(said["stops"]), folder)
    except (ValueError, KeyError, TypeError):
        return Fault(folder.name.rpartition("-")[0], "left no word of what it does", (), folder)


def under_way(home: Path) -> str | None:
    """Return the name of a drill that is held now, None where none is."""
    for path in sorted(home.glob(f"drills/*/{NOTE}")):
        with contextlib.suppress(FileNotFoundError), path.open() as file:
            if not _is_left_behind(file.fileno()):
                return str(json.load(file)["drill"])
    return None


def _is_left_behind(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def undo_faults(home: Path, say: Callable[[str], None], *, is_starting: bool = True) -> list[Fault]:
    """End the fleets of drills that were killed, let halted processes go on, and start services.

    Services are left as they are where nobody wants them to run (`is_starting`).
    """
    found = left_faults(home)
    for fault in found:
        say(f"undoes the drill {fault.drill}, which was killed")
        end(stack_processes(fault.folder, DRILL_MARK), grace_s=GRACE_S)
        _let_go_on(home)
        if is_starting:
            _start(Daemon(home), fault.stops)
        (fault.folder / NOTE).unlink(missing_ok=True)
    return found


def _let_go_on(home: Path) -> None:
    for process in stack_processes(home):
        with contextlib.suppress(psutil.Error):
            if process.status() == psutil.STATUS_STOPPED:
                process.send_signal(signal.SIGCONT)


def _start(daemon: Daemon, services: tuple[str, ...]) -> None:
    """Start services that the drill has stopped, or has told to stop a moment ago."""
    until = time.monotonic() + STOP_WITHIN_S
    for name in services:
        while (run := daemon.runs().get(name)) and run.is_stopping and time.monotonic() < until:
            time.sleep(0.2)
        if run:
            daemon.run_service(name)
