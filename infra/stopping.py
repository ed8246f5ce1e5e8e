"""`down`: streams first, then the rest, then whatever is still marked; nothing stays."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from infra.environment import PROJECT
from infra.home_lock import check_apart
from infra.processes import DEMO_MARK, end, stack_processes
from infra.supervision.configuration import socket_path
from infra.supervision.daemon import Daemon
from telemetry.errors import HeadwaterError
from telemetry.settings import Settings

FIRST = ("gateway", "streams")
STREAMS_WAIT_S = 50.0
OURS = (
    "alerts",
    "bridge",
    "checkpoints",
    "dagster",
    "dataquality",
    "demo",
    "drills",
    "gateway",
    "kafka",
    "lake",
    "logs",
    "models",
    "progress",
    "query",
    "registry",
    "replay",
    "run",
    "spool",
    "spool-offsets",
    "stack.json",
    "superset",
    "trino",
    "lock",
)
"""All that a stack puts into its home: `--wipe` deletes nothing else."""


def end_demo(settings: Settings) -> None:
    """End what a demo started beside the stack: its fleet, and an `up` that holds the lock."""
    end(stack_processes(settings.home, DEMO_MARK), grace_s=10)


def stop(settings: Settings, say: Callable[[str], None]) -> int:
    """End every process of the home and return how many there were; raise if one stays."""
    daemon = Daemon(settings.home)
    count = len(stack_processes(settings.home))
    if daemon.is_running():
        say("stopping the streams")
        _stop_first(daemon)
        say("stopping the other services")
        daemon.end()
    say("ending what is left")
    end(stack_processes(settings.home), grace_s=10)
    staying = stack_processes(settings.home)
    if staying:
        pids = ", ".join(str(process.pid) for process in staying)
        raise HeadwaterError(f"processes {pids} do not end: kill -9 them as their user")
    socket_path(settings.home).unlink(missing_ok=True)
    return count


def _stop_first(daemon: Daemon) -> None:
    """Stop the services that write before those that they write with."""
    running = [name for name, run in daemon.runs().items() if name in FIRST and run.pid]
    for name in running:
        daemon.stop_service(name)
    give_up = time.monotonic() + STREAMS_WAIT_S
    while any(run.pid for name, run in daemon.runs().items() if name in running):
        if time.monotonic() > give_up:
            return
        time.sleep(0.2)


def wipe(settings: Settings, project: Path = PROJECT) -> None:
    """Delete the state of the home, and the home if nothing else is in it."""
    check_apart(settings.home, project)
    for name in OURS:
        path = settings.home / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    if settings.home.is_dir() and not any(settings.home.iterdir()):
        settings.home.rmdir()
