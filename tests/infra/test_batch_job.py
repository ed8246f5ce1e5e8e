"""Batch jobs: their names, and what is made of what they say."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra import batch_job
from infra.batch_job import batch_jobs, job_duties, job_names


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
    with contextlib.chdir(tmp_path), Path("log").open("w") as log:
        assert batch_job._run(command, {}, log) == 0
    assert (tmp_path / "log").read_text().strip() == str(tmp_path.resolve())


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
    assert batch_job._complaint(lines) == complaint


def test_figures_are_the_last_object_that_was_printed() -> None:
    assert batch_job._figures(['{"a": 1}', '{"b": 2}', "WARN {"]) == {"b": 2}
    assert batch_job._figures(["nothing"]) == {}
