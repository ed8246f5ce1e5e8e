"""Disks: one that answers slowly, and one that is full."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from infra.drills.ground import Fleet, Ground
from infra.processes import DRILL_MARK
from telemetry.errors import HeadwaterError

SLOW_S = 20.0
HALT_S, RUN_S = 0.8, 0.2
FULL_S = 15.0
BLOCK = 1 << 20
AFTERWARDS_S = 10.0


def slow_down(ground: Ground) -> list[str]:
    """Halt everything that writes for four fifths of each second."""
    writers = [name for name in ("kafka", "streams") if name in ground.daemon.runs()]
    until = time.monotonic() + SLOW_S
    while time.monotonic() < until:
        # The same ones go on again, whatever their services have become.
        pids = [pid for name in writers for pid in ground.pids(name)]
        try:
            _signal(pids, signal.SIGSTOP)
            time.sleep(HALT_S)
        finally:
            _signal(pids, signal.SIGCONT)
        time.sleep(RUN_S)
    return []


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def fill_up(ground: Ground) -> list[str]:
    """Fill the drill's disk to its last byte, keep it so for a while, and free it."""
    assert ground.disk is not None, "never the disk of a stack that is in use"
    ballast = ground.disk / "ballast"
    _fill(ballast)
    ground.say(f"the disk is full for {FULL_S:.0f} s")
    time.sleep(FULL_S)
    _fill(ballast)
    ballast.unlink()
    ground.say("the disk has room again")
    if ground.fleets[0].poll() is not None:
        # It was refused aloud, and ended: devices would try again.
        ground.fleets.clear()
        ground.start_fleet(Fleet("drill"))
    time.sleep(AFTERWARDS_S)
    return [] if ground.fleets[-1].poll() is None else ["messages are refused though there is room"]


def _fill(ballast: Path) -> None:
    size = BLOCK
    with ballast.open("ab", buffering=0) as file:
        while size:
            try:
                file.write(b"\0" * size)
            except OSError:
                size //= 2


def run_apart(name: str, folder: Path, *options: str) -> dict[str, object]:
    """Run a drill on a stack of its own, on a small disk in memory that nobody else sees."""
    folder.mkdir(parents=True, exist_ok=True)
    namespace = ["unshare", "--mount"]
    if os.getuid():
        namespace = ["unshare", "--user", "--map-root-user", "--mount"]
    command = [*namespace, sys.executable, "-m", "infra.drills.apart", name, str(folder)]
    command += options
    try:
        marked = {**os.environ, DRILL_MARK: str(folder)}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, env=marked)
    except FileNotFoundError as error:
        raise HeadwaterError("a disk of its own needs `unshare`: Linux, util-linux") from error
    lines = _said(process).decode().strip().splitlines()
    if not lines or not lines[-1].startswith("{"):
        raise HeadwaterError(
            f"{name}: no disk of its own or no stack on it; as root it needs no user namespaces"
        )
    found: dict[str, object] = json.loads(lines[-1])
    return found


def _said(process: subprocess.Popen[bytes]) -> bytes:
    """Return what a drill apart says; broken off, it is given the time to stop its stack."""
    try:
        return process.communicate()[0]
    except KeyboardInterrupt:
        # It has heard of that as well.
        process.wait()
        raise
    except SystemExit:
        process.terminate()
        process.wait()
        raise
