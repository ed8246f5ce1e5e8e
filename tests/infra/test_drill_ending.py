"""A drill that is broken off undoes its fault, whichever signal ends it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.infra.rehearsal import REHEARSAL

BROKEN_OFF = f"""{REHEARSAL}
# As from a terminal: below `nohup` it is ignored, and stays so.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
ground = Rehearsal(Settings(home=home), "full", home, print)
with orderly(), ground.fleet(Fleet("drill")):
    disks.slow_down(ground)
"""
WAITS = "import time; time.sleep(120)"
AFTERWARDS = """
import pathlib, signal, sys, time
try:
    print("up", flush=True, file=sys.stderr)
    time.sleep(60)
finally:
    time.sleep(1)
    pathlib.Path(sys.argv[1]).touch()
"""
APART = """
import subprocess, sys
from infra.drills import disks
from infra.drills.ending import orderly
command = [sys.executable, "-c", sys.argv[1], sys.argv[2]]
with orderly():
    disks._said(subprocess.Popen(command, stdout=subprocess.PIPE))
"""


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


@pytest.fixture
def writer() -> Iterator[psutil.Popen]:
    process = psutil.Popen([sys.executable, "-c", WAITS])
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_halted_writers_go_on_and_fleets_end(
    tmp_path: Path, writer: psutil.Popen, number: signal.Signals
) -> None:
    words = [str(tmp_path), str(writer.pid), WAITS]
    drill = subprocess.Popen([sys.executable, "-c", BROKEN_OFF, *words], stdout=subprocess.PIPE)
    assert drill.stdout is not None
    fleet = int(drill.stdout.readline())
    assert within(30, lambda: writer.status() == psutil.STATUS_STOPPED)

    drill.send_signal(number)

    assert drill.wait(timeout=30)
    drill.stdout.close()
    assert writer.status() != psutil.STATUS_STOPPED
    assert not psutil.pid_exists(fleet)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_drill_apart_is_given_the_time_to_stop_its_stack(
    tmp_path: Path, number: signal.Signals
) -> None:
    stopped = tmp_path / "stopped"
    inner = (
        f"import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))\n{AFTERWARDS}"
    )
    drill = subprocess.Popen(
        [sys.executable, "-c", APART, inner, str(stopped)],
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert drill.stderr is not None
    assert drill.stderr.readline() == b"up\n"

    if number == signal.SIGINT:
        os.killpg(drill.pid, number)
    else:
        drill.send_signal(number)

    assert drill.wait(timeout=30)
    drill.stderr.close()
    assert stopped.exists()
