"""Processes are found by their home; one that was killed is not taken for the next one."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.application import MARK, STREAMS, pid_of


@pytest.fixture
def started(tmp_path: Path) -> "subprocess.Popen[bytes]":
    waiting = "import sys; print(flush=True); sys.stdin.read()"
    return subprocess.Popen(
        [sys.executable, "-c", waiting, *STREAMS],
        env={MARK: str(tmp_path)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip


def test_process_that_was_killed_is_not_found_while_it_is_still_there(
    started: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    with started:
        assert started.stdout is not None
        started.stdout.readline()
        assert pid_of(tmp_path, STREAMS) == started.pid
        assert pid_of(tmp_path, STREAMS, other_than=started.pid) is None
        assert pid_of(tmp_path / "other", STREAMS) is None
        started.communicate()
