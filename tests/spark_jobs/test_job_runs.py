"""A job that loses against another writer tries again, and one knows what was due before it."""

from argparse import ArgumentParser, Namespace
from datetime import date, datetime
from pathlib import Path

import pytest
from deltalake.exceptions import CommitFailedError
from py4j.protocol import Py4JError  # type: ignore[import-untyped]

from spark_jobs.jobs.job_runs import LostError, add_dates, last_success, recorded, tried
from spark_jobs.lake import Lake
from telemetry.tables import JOB_RUNS, LATE, READINGS

AS_JAVA_SAYS = Py4JError(
    "io.delta.exceptions.ConcurrentDeleteReadException:"
    " [DELTA_CONCURRENT_DELETE_READ.WITH_PARTITION_HINT] Transaction conflict detected"
)


@pytest.mark.parametrize("error", [AS_JAVA_SAYS, CommitFailedError("deleted")], ids=["java", "rs"])
def test_lost_commit_is_tried_again_on_the_table_as_it_is_then(error: Exception) -> None:
    errors = [error, error]

    def work() -> str:
        if errors:
            raise errors.pop()
        return "done"

    assert tried(work, "compact", pause_s=0) == "done"


def test_job_that_always_loses_says_so() -> None:
    def work() -> None:
        raise AS_JAVA_SAYS

    with pytest.raises(LostError, match="compact"):
        tried(work, "compact", pause_s=0)


def test_other_failures_of_java_are_not_tried_again() -> None:
    tries: list[int] = []

    def work() -> None:
        tries.append(1)
        raise Py4JError("java.lang.OutOfMemoryError")

    with pytest.raises(Py4JError, match="OutOfMemory"):
        tried(work, "compact", pause_s=0)
    assert tries == [1]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(str(tmp_path))
    for table in (JOB_RUNS, READINGS, LATE):
        made.create(table)
    return made


def test_run_of_some_days_is_not_the_last_run_of_all_that_was_due(lake: Lake) -> None:
    begun: list[datetime] = []

    def work(now: datetime) -> dict[str, object]:
        begun.append(now)
        return {}

    day = date(2026, 11, 1)
    runs: tuple[tuple[str, dict[str, object]], ...] = (
        ("dedup", {}),
        ("dedup", {"first": day, "last": None}),
        ("dedup", {"first": day, "last": day}),
        ("summaries", {"every": "hour"}),
    )
    for job, narrowed in runs:
        recorded(lake, job, Namespace(**{"first": None, "last": None, **narrowed}), work)

    assert last_success(lake, "dedup") == begun[0]
    assert last_success(lake, "summaries") is None


def test_who_writes_no_date_is_shown_one(capsys: pytest.CaptureFixture[str]) -> None:
    parser = ArgumentParser()
    add_dates(parser)
    assert parser.parse_args(["--from", "2026-11-20"]).first == date(2026, 11, 20)
    with pytest.raises(SystemExit):
        parser.parse_args(["--from", "yesterday"])
    assert "'yesterday' is no UTC date: 2026-11-20" in capsys.readouterr().err
