"""A Spark that is a small script: its answers are files, its calls are noted."""

import json
import os
import sys
from pathlib import Path

import dagster as dg

from orchestration.spark import SparkSubmit

NICE = 3
FAKE_JOB = Path(__file__).with_name("fake_job.py")


def fake_spark(folder: Path, **answers: object) -> SparkSubmit:
    """Return a Spark that answers each job with the result given; a job without one fails."""
    for job, answer in answers.items():
        (folder / f"{job}.json").write_text(json.dumps(answer))
    return SparkSubmit(
        pipes=dg.PipesSubprocessClient(),
        program=[sys.executable, str(FAKE_JOB), str(folder)],
        lock=folder / "job.lock",
        environment={},
        nice=NICE,
    )


def is_nicer(folder: Path) -> bool:
    """Tell whether the last job ran at a lower priority than these tests."""
    found, own = int((folder / "niceness").read_text()), os.nice(0)
    assert found in (own, min(own + NICE, 19))
    return found > own or own == 19


def calls(folder: Path) -> list[list[str]]:
    """Return the arguments of each call so far."""
    path = folder / "calls.ndjson"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def suite_result(*, success: bool = True, **changes: object) -> dict[str, object]:
    """Return what the quality job says of a table."""
    plain: dict[str, object] = {
        "success": success,
        "expectations": 3,
        "failed": [] if success else ["a key is there once"],
        "warnings": [],
        "rows": 7,
        "seconds": 0.5,
    }
    return {**plain, **changes}
