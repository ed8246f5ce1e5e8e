import signal
import subprocess
import sys
from pathlib import Path

from orchestration.one_at_a_time import command

HOLD = [sys.executable, "-c", "print('running', flush=True); import time; time.sleep(60)"]


def start(lock: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(command(lock, 0, HOLD), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    return process


def run(lock: Path, wait_s: float = 0) -> subprocess.CompletedProcess[str]:
    line = command(lock, wait_s, [sys.executable, "-c", "print('mine')"])
    return subprocess.run(line, capture_output=True, text=True, check=False)


def test_a_second_command_is_refused_while_the_first_runs(tmp_path: Path) -> None:
    lock = tmp_path / "run" / "job.lock"
    with start(lock) as first:
        refused = run(lock)
        first.kill()

    assert refused.returncode == 1
    assert str(lock) in refused.stderr


def test_a_killed_command_leaves_the_place_free(tmp_path: Path) -> None:
    lock = tmp_path / "job.lock"
    with start(lock) as first:
        first.send_signal(signal.SIGKILL)

    assert run(lock).stdout == "mine\n"


def test_a_command_waits_for_its_turn(tmp_path: Path) -> None:
    lock = tmp_path / "job.lock"
    with start(lock) as first:
        line = command(lock, 30, [sys.executable, "-c", "print('mine')"])
        with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as second:
            first.kill()
            first.wait()
            assert second.communicate(timeout=30)[0] == "mine\n"
