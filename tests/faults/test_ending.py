"""A run of kills that is ended takes its stacks down, whichever signal ends it, and how often."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ENDED = """
import pathlib, signal, sys, time
from dataclasses import dataclass
from tests.faults.ending import interrupted_once
from tests.faults.full import taken_down

@dataclass
class Told:
    home: pathlib.Path

    def run(self, *words, check=True):
        time.sleep(1)
        self.home.with_name("said").write_text(" ".join(words))

# As from a terminal: below `nohup` it is ignored, and stays so.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
interrupted_once()
home = pathlib.Path(sys.argv[1])
home.mkdir()
with taken_down(Told(home)):
    print("up", flush=True)
    time.sleep(60)
"""
PARTS = """
import sys
from tests.faults.ending import interrupted_once
from tests.faults.full import run_all

interrupted_once()
part = "import sys; exec(sys.argv.pop(1))"
commands = [[sys.executable, "-c", part, sys.argv[1], folder] for folder in sys.argv[2:]]
sys.exit(not all(run_all(commands, apart_s=0)))
"""
BOTH = [signal.SIGTERM, signal.SIGINT]


def started(script: str, *words: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", script, *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("number", [*BOTH, signal.SIGHUP])
def test_stack_of_a_run_that_is_ended_is_taken_down(tmp_path: Path, number: signal.Signals) -> None:
    run = started(ENDED, str(tmp_path / "home"))
    assert run.stdout is not None
    assert run.stdout.readline() == b"up\n"

    run.send_signal(number)
    time.sleep(0.3)
    for again in BOTH:
        run.send_signal(again)

    assert run.wait(timeout=30)
    run.stdout.close()
    assert (tmp_path / "said").read_text() == "down"
    assert not (tmp_path / "home").exists()


def test_all_parts_of_a_run_that_is_ended_take_their_stacks_down(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    run = started(PARTS, ENDED, *(str(folder / "home") for folder in folders))
    assert run.stdout is not None
    assert [run.stdout.readline() for _ in folders] == [b"up\n"] * 2

    run.terminate()

    assert run.wait(timeout=30) == 0
    run.stdout.close()
    assert [(folder / "said").read_text() for folder in folders] == ["down"] * 2
    assert [[*folder.glob("home")] for folder in folders] == [[], []]
