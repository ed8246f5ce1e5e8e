"""SIGTERM reaches the driver alone; a killed wrapper takes the application along."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from infra.gentle_stop import command

pytestmark = pytest.mark.faults
DRIVER = """
import signal, sys, time
def stop(*_): print("stopped in order", flush=True); sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
time.sleep(60)
"""
LAUNCHER = """
import signal, subprocess, sys
signal.signal(signal.SIGTERM, lambda *_: print("launcher was told", flush=True))
sys.exit(subprocess.run([sys.executable, sys.argv[1]]).returncode)
"""


@pytest.fixture
def application(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    driver = tmp_path / "main.py"
    driver.write_text(DRIVER)
    words = command([sys.executable, "-c", LAUNCHER, str(driver)])
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.communicate()


def test_driver_alone_is_told_to_stop(application: subprocess.Popen[str]) -> None:
    application.send_signal(signal.SIGTERM)
    said, _ = application.communicate(timeout=20)
    assert (said, application.returncode) == ("stopped in order\n", 0)


def test_application_dies_with_its_killed_wrapper(application: subprocess.Popen[str]) -> None:
    (launcher,) = psutil.Process(application.pid).children()
    (driver,) = launcher.children()
    os.kill(application.pid, signal.SIGKILL)
    gone, _ = psutil.wait_procs([launcher], timeout=10)
    driver.kill()
    assert gone == [launcher]


def test_exit_code_is_passed_on() -> None:
    words = command([sys.executable, "-c", "import os, signal; os.kill(os.getpid(), 9)"])
    assert subprocess.run(words, check=False).returncode == 137
    assert subprocess.run(command(["false"]), check=False).returncode == 1
