"""Processes of a stack, found by the mark that they carry in their environment."""

import contextlib
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

MARK = "HEADWATER_STACK"
"""Environment variable that every process of a stack inherits; its value is the home."""
DEMO_MARK = "HEADWATER_DEMO"
"""The same for what a demo starts beside the stack: it ends with it, but `up` leaves it alone."""
DRILL_MARK = "HEADWATER_DRILL"
"""The same for what a drill starts, even a stack of its own; its value is the drill's folder."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who listens on a port; pid is None where another user's process does."""

    port: int
    pid: int | None
    command: str
    home: str | None = None


def stack_processes(home: Path, mark: str = MARK) -> list[psutil.Process]:
    """Return the living processes that carry the home's mark, ourselves and ancestors apart.

    Of the mark of a drill the home is the drill's folder.
    """
    ourselves = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return [
        process
        for process in psutil.process_iter()
        if process.pid not in ourselves and marked_home(process, mark) == str(home)
    ]


def marked_home(process: psutil.Process, mark: str = MARK) -> str | None:
    """Return the home in the process's mark, or None if it has none or is not ours to read."""
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return process.environ().get(mark)
    except (psutil.Error, OSError):
        return None


def end(processes: Iterable[psutil.Process], *, grace_s: float) -> list[psutil.Process]:
    """Terminate, wait, then kill; return what still lives."""
    asked = list(processes)
    for process in asked:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    _, alive = psutil.wait_procs(asked, timeout=grace_s)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    _, alive = psutil.wait_procs(alive, timeout=5)
    return alive


def tree_pids(pid: int) -> set[int]:
    """Return a process and all below it; empty if it is gone."""
    try:
        root = psutil.Process(pid)
        return {pid, *(child.pid for child in root.children(recursive=True))}
    except psutil.Error:
        return set()


def words_below(pid: int) -> dict[int, list[str]]:
    """Return the command lines of all processes below one; what ends meanwhile is left out."""
    found = {}
    with contextlib.suppress(psutil.Error):
        for process in psutil.Process(pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                found[process.pid] = process.cmdline()
    return found


def tree_pss_mb(pid: int, *, without: Iterable[int] = ()) -> int | None:
    """Return the proportional set size of a process and all below it, or None if it is gone.

    The trees of the processes `without` are left out.
    """
    pids = tree_pids(pid).difference(*map(tree_pids, without))
    return round(sum(map(_pss_kb, pids)) / 1024) if pids else None


def _pss_kb(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def port_holders(ports: Iterable[int], datagram_ports: Iterable[int] = ()) -> list[Holder]:
    """Return who listens on any of the ports of TCP, or has one of those of UDP open."""
    wanted = {socket.SOCK_STREAM: set(ports), socket.SOCK_DGRAM: set(datagram_ports)}
    found: dict[int, Holder] = {}
    for connection in psutil.net_connections(kind="inet"):
        is_datagram = connection.type == socket.SOCK_DGRAM
        waits = not connection.raddr if is_datagram else connection.status == psutil.CONN_LISTEN
        if not waits or not connection.laddr:
            continue
        port = connection.laddr.port
        if port in wanted[connection.type] and port not in found:
            found[port] = _holder(port, connection.pid)
    return [found[port] for port in sorted(found)]


def _holder(port: int, pid: int | None) -> Holder:
    if pid is None:
        return Holder(port, None, "a process of another user")
    try:
        process = psutil.Process(pid)
        command = " ".join(process.cmdline())[:80] or process.name()
        return Holder(port, pid, command, marked_home(process))
    except psutil.Error:
        return Holder(port, pid, "a process that just ended")
