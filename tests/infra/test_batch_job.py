"""Batch jobs: their names, and what is made of what they say."""

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from infra import batch_job
from infra.batch_job import batch_jobs, job_duties, job_names
from telemetry.settings import Settings


def test_names_are_those_of_the_entry() -> None:
    names = job_names()
    assert {"stream", "dedup", "compact", "vacuum", "retention", "summaries"} <= set(names)
    assert len(names) == len(set(names))


def test_each_job_says_its_duty_in_one_line() -> None:
    duties = job_duties()
    assert tuple(duties) == job_names()
    assert all(duty and len(duty) < 110 and "\n" not in duty for duty in duties.values())


def test_job_below_a_process_is_found_once(tmp_path: Path) -> None:
    main = tmp_path / "spark_jobs" / "main.py"
    main.parent.mkdir()
    main.write_text(
        "import subprocess, sys, time\n"
        "if len(sys.argv) < 2: subprocess.Popen([sys.executable, __file__, 'inner'])\n"
        "print('up', flush=True); time.sleep(30)\n"
    )
    process = subprocess.Popen([sys.executable, main], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.readline()
    try:
        assert process.pid in batch_jobs(os.getpid())
        assert len(batch_jobs(process.pid)) == 1
    finally:
        for child in batch_jobs(process.pid):
            os.kill(child, 9)
        process.kill()
        process.communicate()


def test_a_job_runs_where_its_paths_were_written(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import os; print(os.getcwd())"]
    with contextlib.chdir(tmp_path), Path("log").open("w") as log, Path("lock").open("w") as lock:
        assert batch_job._run(command, {}, log, lock) == 0
    assert (tmp_path / "log").read_text().strip() == str(tmp_path.resolve())


RUNNER = """
import sys
from pathlib import Path
from infra import batch_job
from telemetry.settings import Settings
job = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
settings = Settings(home=Path(sys.argv[1]))
with batch_job._turn(settings, "dedup", print) as lock, Path(sys.argv[2]).open("w") as log:
    batch_job._run([sys.executable, "-c", job], {}, log, lock)
"""


def is_free(path: Path) -> bool:
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def test_job_whose_command_was_killed_still_keeps_other_jobs_waiting(tmp_path: Path) -> None:
    log, lock = tmp_path / "log", tmp_path / "run" / "spark-job.lock"
    runner = subprocess.Popen([sys.executable, "-c", RUNNER, str(tmp_path), str(log)])
    assert within(30, lambda: log.exists() and log.read_text().endswith("\n"))
    job = int(log.read_text())
    try:
        runner.kill()
        runner.wait()

        assert not is_free(lock)
    finally:
        os.kill(job, signal.SIGKILL)
    assert within(10, lambda: is_free(lock))


def test_what_mends_a_stream_waits_for_no_other_job(tmp_path: Path) -> None:
    settings, said = Settings(home=tmp_path), list[str]()
    with batch_job._turn(settings, "compact", said.append):
        with batch_job._turn(settings, "recover", said.append):
            assert not is_free(tmp_path / "run" / "spark-job.lock")
        assert said == []
        waiting = threading.Thread(target=_take_turn, args=(settings, said))
        waiting.start()
        assert within(10, lambda: said == ["dedup: waits for another job to end"])
    waiting.join(10)
    assert said[1:] == ["dedup has its turn"]


def _take_turn(settings: Settings, said: list[str]) -> None:
    with batch_job._turn(settings, "dedup", said.append):
        said.append("dedup has its turn")


def test_nobody_has_no_jobs() -> None:
    assert batch_jobs(None) == []
    assert batch_jobs(2**22 + 1) == []


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (["error: no partition", "WARN shutdown"], "no partition"),
        (
            ["vacuum: error: unrecognized arguments: --x"],
            "vacuum: error: unrecognized arguments: --x",
        ),
        (["Traceback", "ValueError: x", "at org.Error: y"], "ValueError: x"),
        (["words", ""], "words"),
        ([], "it said nothing"),
    ],
)
def test_complaint_is_the_error_that_was_told(lines: list[str], complaint: str) -> None:
    assert batch_job._complaint(lines, 1) == complaint


@pytest.mark.parametrize(
    ("code", "said"), [(130, "broken off"), (143, "broken off"), (137, "killed")]
)
def test_job_that_a_signal_ended_says_what_to_do(code: int, said: str) -> None:
    complaint = batch_job._complaint(["error: py4j lost the gateway", "at org.Error: y"], code)
    assert said in complaint
    assert "run it again" in complaint


def test_figures_are_the_last_object_that_was_printed() -> None:
    assert batch_job._figures(['{"a": 1}', '{"b": 2}', "WARN {"]) == {"b": 2}
    assert batch_job._figures(["nothing"]) == {}
