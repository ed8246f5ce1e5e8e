"""A point of a job is passed only where its job was killed."""

import sys
from pathlib import Path

import pytest

from tests.end_to_end.stack import Stack
from tests.faults.job_strike import JobStrike
from tests.faults.plan import Kill

RUNS = """
import os, pathlib, sys, time
home, seconds, staged, job = sys.argv[1:]
print(job, file=open(f"{home}/begun", "a"))
time.sleep(float(seconds) / 2)
pathlib.Path(home, "lake", "t", staged.format(os.getpid())).touch()
time.sleep(float(seconds) / 2)
print(job, file=open(f"{home}/ended", "a"))
"""


def strikes(home: Path, *, seconds: float, staged: str) -> JobStrike:
    (home / "lake" / "t").mkdir(parents=True)
    command = (sys.executable, "-c", RUNS, str(home), str(seconds), staged)
    return JobStrike(Stack(home, 0), command)


def runs(home: Path, what: str) -> int:
    return len((home / what).read_text().splitlines())


@pytest.mark.parametrize(("nth", "begun", "ended"), [(1, 4, 3), (2, 3, 2)])
def test_job_without_such_a_file_is_killed_in_another_run(
    tmp_path: Path, nth: int, begun: int, ended: int
) -> None:
    jobs = strikes(tmp_path, seconds=1.5, staged="nothing")

    struck = jobs.strike(Kill(0, "job:dedup", nth, 0.5))

    assert "of its time" in str(struck["file"])
    assert (runs(tmp_path, "begun"), runs(tmp_path, "ended")) == (begun, ended)


def test_job_is_killed_at_its_file(tmp_path: Path) -> None:
    jobs = strikes(tmp_path, seconds=5, staged="packed-{}.parquet")

    struck = jobs.strike(Kill(0, "job:compact", 1, 0.5))

    assert str(struck["file"]).startswith("t/packed-")

    assert (runs(tmp_path, "begun"), runs(tmp_path, "ended")) == (3, 2)


def test_job_that_is_over_before_each_kill_is_no_kill(tmp_path: Path) -> None:
    jobs = strikes(tmp_path, seconds=0, staged="nothing")
    jobs.took_s["dedup"] = 4.0

    with pytest.raises(AssertionError, match="job:dedup: the job was over each time"):
        jobs.strike(Kill(0, "job:dedup", 2, 0.5))
