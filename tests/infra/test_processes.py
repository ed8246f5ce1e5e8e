"""Processes found by their mark, measured and ended."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from infra.processes import MARK, end, port_holders, stack_processes, tree_pids, tree_pss_mb

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    " print('up', flush=True); time.sleep(60)"
)


@pytest.fixture
def stubborn(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-c", STUBBORN],
        env={**os.environ, MARK: str(tmp_path)},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


def test_only_processes_of_the_home_are_found(
    stubborn: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    assert [found.pid for found in stack_processes(tmp_path)] == [stubborn.pid]
    assert stack_processes(tmp_path / "other") == []


def test_ourselves_are_never_among_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = "from infra.processes import stack_processes; from pathlib import Path; import sys\n"
    program += "print(stack_processes(Path(sys.argv[1])))"
    monkeypatch.setenv(MARK, str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_what_ignores_sigterm_is_killed(stubborn: subprocess.Popen[bytes], tmp_path: Path) -> None:
    assert end(stack_processes(tmp_path), grace_s=0.3) == []
    assert not psutil.pid_exists(stubborn.pid) or stubborn.poll() == -9


def test_memory_is_of_the_whole_tree_but_what_is_left_out(
    stubborn: subprocess.Popen[bytes],
) -> None:
    whole = tree_pss_mb(os.getpid())
    ours = tree_pss_mb(os.getpid(), without=[stubborn.pid])
    assert whole is not None
    assert ours is not None
    assert whole > ours > 0
    assert stubborn.pid in tree_pids(os.getpid())


def test_memory_of_nobody_is_none() -> None:
    assert tree_pss_mb(2**22 + 1) is None


def test_holder_of_a_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (holder,) = port_holders([port])
    assert (holder.port, holder.pid, holder.home) == (port, os.getpid(), os.environ.get(MARK))
    assert "python" in holder.command
