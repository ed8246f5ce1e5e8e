"""Who lives through a drill: the processes that write, and the queries of the streams."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.drills.drill import Drill
from infra.supervision.configuration import log_path
from infra.supervision.daemon import Daemon

WRITERS = ("kafka", "streams")
FAILED = b"failed, tries again in"
"""As the host of the queries logs it."""


@dataclass(frozen=True, slots=True)
class Lives:
    """The writers' processes at one moment, and what of the streams had failed by then.

    `logged` is how many bytes they had logged.
    """

    pids: Mapping[str, int | None]
    failures: tuple[str, ...] = ()
    logged: int = 0


def lives(home: Path, since: int = 0) -> Lives:
    """Return who lives now, and what failed behind so many bytes of the streams' log."""
    runs = Daemon(home).runs()
    pids = {name: runs[name].pid for name in WRITERS if name in runs}
    path = log_path(home, "streams")
    if not path.exists():
        return Lives(pids)
    logged = path.stat().st_size
    with path.open("rb") as file:
        # One that was begun anew meanwhile is read whole.
        file.seek(since if since <= logged else 0)
        failures = tuple(line.decode("utf-8", "replace").strip() for line in file if FAILED in line)
    return Lives(pids, failures, logged)


def fates(drill: Drill, before: Lives, after: Lives) -> list[str]:
    """Say who died that should have lived, who lives that was to end, and what failed."""
    if drill.is_apart:
        # A full disk may end any of them.
        return []
    found = []
    for name, pid in before.pids.items():
        is_same = after.pids.get(name) == pid
        if name in drill.ends and is_same:
            found.append(f"{name} was not ended: its process is that of before")
        if name not in drill.ends and not is_same:
            found.append(f"{name} died of it: see `headwater logs {name}`")
    failures = [] if drill.may_fail else after.failures[:1]
    return [*found, *(f"a query failed, and was started again: {said}" for said in failures)]
