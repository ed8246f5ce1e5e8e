"""One batch job of `spark_jobs`, run to its end."""

import ast
import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from infra.environment import PROJECT, child_environment
from infra.passing import wait
from infra.processes import tree_pids, words_below
from infra.spark_submit import spark_submit_command
from infra.supervision.configuration import log_path
from telemetry.settings import Settings

MAIN = PROJECT / "spark_jobs" / "main.py"
SIGNALLED = 128
"""Exit codes of processes that a signal ended are so much more than its number."""
MENDING = ("recover",)
"""Jobs that a stream which stands still waits for."""
ENDS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended: its exit code, its figures, or what it said of its failure."""

    code: int
    figures: dict[str, object]
    complaint: str


def job_names() -> tuple[str, ...]:
    """Return the jobs that there are, read from their entry without importing Spark."""
    for statement in ast.parse(MAIN.read_text("utf-8")).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "JOBS":
            names: tuple[str, ...] = ast.literal_eval(statement.value)
            return names
    raise AssertionError(f"{MAIN} names no jobs")


def job_duties() -> dict[str, str]:
    """Return what each job does, in the words of its own first line."""
    return {name: _first_line(MAIN.parent / "jobs" / f"{_module(name)}.py") for name in job_names()}


def _module(job: str) -> str:
    return job.replace("-", "_")


def _first_line(module: Path) -> str:
    words = ast.get_docstring(ast.parse(module.read_text("utf-8"))) or ""
    return words.partition("\n")[0].rstrip(".")


def run_job(
    settings: Settings, job: str, arguments: Sequence[str], say: Callable[[str], None]
) -> Outcome:
    """Run a job alone, its log in {home}/logs, and return how it ended."""
    command = job_command(settings, job, arguments)
    log = log_path(settings.home, f"job-{job}")
    log.parent.mkdir(parents=True, exist_ok=True)
    with _turn(settings, job, say) as lock, log.open("w", encoding="utf-8") as log_file:
        say(f"{job} runs")
        code = _run(command, child_environment(settings), log_file, lock)
    lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines()]
    return Outcome(code, _figures(lines), _complaint(lines, code))


def job_command(settings: Settings, job: str, arguments: Sequence[str]) -> list[str]:
    """Return a job's command, at a niceness that leaves the cores to the streams first."""
    gentle = ["nice", "-n", str(settings.job_nice)]
    return [*gentle, *spark_submit_command(settings, job, arguments)]


def batch_jobs(pid: int | None) -> list[int]:
    """Return the jobs below a process: the outermost process of each."""
    if pid is None:
        return []
    jobs = [each for each, words in words_below(pid).items() if _is_job(words)]
    inner = {child for job in jobs for child in tree_pids(job) - {job}}
    return [job for job in jobs if job not in inner]


def _is_job(words: Sequence[str]) -> bool:
    return any(word.endswith("spark_jobs/main.py") for word in words)


def _run(command: list[str], environment: dict[str, str], log: TextIO, lock: TextIO) -> int:
    """Run a command; Spark's launcher mixes what its driver says with its own errors.

    It holds the lock as well: it goes on where this process is killed.
    """
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=log,
        stderr=subprocess.STDOUT,
        pass_fds=(lock.fileno(),),
    )
    return wait(process)


@contextlib.contextmanager
def _turn(settings: Settings, job: str, say: Callable[[str], None]) -> Iterator[TextIO]:
    """Hold the lock that every batch job holds, Dagster's too: a small machine runs one.

    One that mends a stream which stands still is small, and waits for nobody.
    """
    path = settings.home / "run" / "spark-job.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        if job not in MENDING and not _take(lock):
            say(f"{job}: waits for another job to end")
            while not _take(lock):
                time.sleep(0.5)
        yield lock


def _take(lock: TextIO) -> bool:
    """Take the lock unless somebody has it; tell whether it is taken now."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _figures(lines: Sequence[str]) -> dict[str, object]:
    """Return the result that a job prints as its last word, among what the JVM says."""
    for line in reversed(lines):
        if line.startswith("{"):
            with contextlib.suppress(ValueError):
                figures: dict[str, object] = json.loads(line)
                return figures
    return {}


def _complaint(lines: Sequence[str], code: int) -> str:
    """Return what ended a job: a signal, the error that it told, or else its last words."""
    if code - SIGNALLED in ENDS:
        return "was broken off: run it again, and it does what is left"
    if code - SIGNALLED == signal.SIGKILL:
        return "was killed, maybe since memory ran out: run it again, and it does what is left"
    told = [line for line in lines if "error: " in line.lower() and not line.startswith("at ")]
    said = (told or [line for line in lines if line] or ["it said nothing"])[-1]
    return said.removeprefix("error: ")


def job_help(job: str) -> int:
    """Show a job's own help and return its exit code."""
    command = [sys.executable, str(MAIN), job, "--help"]
    return subprocess.run(command, check=False, cwd=PROJECT).returncode
